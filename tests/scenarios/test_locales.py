"""Customers of every locale that Faker knows: stored, listed, exported and loaded again without a letter's difference."""

import csv
import unicodedata
import warnings
from pathlib import Path

from faker import Faker
from faker.config import AVAILABLE_LOCALES

from custimport.customer import FIELDS
from custimport.customer.timezones import timezone_names

CUSTOMERS_A_LOCALE = 10


def customers() -> list[dict[str, str]]:
    """Names as each locale writes them, the rest always valid; the same in every run."""
    made: list[dict[str, str]] = []
    zones = sorted(timezone_names())
    for locale in sorted(AVAILABLE_LOCALES):
        with warnings.catch_warnings():
            # some locales are older names of others
            warnings.simplefilter("ignore", UserWarning)
            fake = Faker(locale)
        fake.seed_instance(1)
        for number in range(CUSTOMERS_A_LOCALE):
            made.append(
                {
                    "full_name": fake.name(),
                    "email": f"{locale.lower()}.{number}@example.com",
                    "date_of_birth": fake.date_of_birth(minimum_age=18, maximum_age=90).isoformat(),
                    # some locales translate theirs
                    "timezone": zones[len(made) % len(zones)],
                }
            )
    return made


def test_names_in_every_script_survive_load_list_export_load(run, database) -> None:
    made = customers()
    with Path("made.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        writer.writerows(made)

    result = run("load", "made.csv", "--json", "--report", "r.jsonl")
    assert result.json["totals"]["inserted"] == len(made) > 500

    listed = {c["email"]: c["full_name"] for c in run("customers", "list", "--all", "--json").json["data"]}
    expected = {c["email"]: unicodedata.normalize("NFC", c["full_name"].strip()) for c in made}
    assert listed == expected

    Path("exported.csv").write_bytes(run("customers", "export", "--format", "csv").stdout_bytes)
    stored = [(c["email"], c["full_name"], c["date_of_birth"], c["timezone"]) for c in database.customers.find()]
    database.customers.delete_many({})
    assert run("load", "exported.csv", "--json").json["totals"]["inserted"] == len(made)
    again = [(c["email"], c["full_name"], c["date_of_birth"], c["timezone"]) for c in database.customers.find()]
    assert sorted(again) == sorted(stored)
