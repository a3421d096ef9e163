"""Every file of the shared test data does what EXPECTED.tsv says, end to end."""

import csv
import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "testdata"


def expectations() -> list[dict[str, str]]:
    with (FOLDER / "EXPECTED.tsv").open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


@pytest.mark.parametrize("expected", expectations(), ids=lambda row: row["file"])
def test_a_file_of_the_shared_test_data_does_as_expected(run, database, expected) -> None:
    shutil.copy(FOLDER / expected["file"], expected["file"])

    result = run("load", expected["file"], "--json", exit_code=int(expected["exit"]))

    stored, rejected = int(expected["stored"]), int(expected["rejected"])
    assert result.json["totals"]["inserted"] == stored
    assert result.json["totals"]["rejected"] == rejected
    assert result.json["totals"]["read"] == stored + rejected
    assert database.customers.count_documents({}) == stored
    assert database.rejections.count_documents({}) == rejected
    report = Path(expected["file"].split(".")[0] + ".rejections.csv")
    assert report.exists() == (rejected > 0)
