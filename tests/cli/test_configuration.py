"""Settings from environment, `.env` and custimport.toml: who wins, what is refused, what is shown."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from custimport.cli.app import app
from custimport.cli.configurable import SETTINGS, Kind
from custimport.dotenv import read_dotenv

ROOT = Path(__file__).parent.parent.parent
HEADER = "full_name,email,date_of_birth,timezone\n"
PASSWORD = "s3cret-w0rd"


def configure(text: str, name: str = "custimport.toml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def settings(run_offline, *arguments: str) -> dict[str, dict[str, object]]:
    return run_offline("config", "show", "--json", *arguments).json["settings"]


def in_use(run, *arguments: str) -> dict[str, object]:
    """The options that the history says a load had."""
    Path("customers.csv").write_text(HEADER + "Ann,ann@example.com,1990-01-15,UTC\n")
    run("load", "customers.csv", "-q", *arguments)
    run("imports", "undo", "last", "--yes")
    return run("imports", "show", "last", "--json").json


def test_the_nearest_source_wins(run_offline, monkeypatch) -> None:
    configure("retry_for = 1\n[profiles.prod]\nretry_for = 2\n")
    Path(".env").write_text("CUSTIMPORT_RETRY_FOR=3\n")
    monkeypatch.setenv("CUSTIMPORT_RETRY_FOR", "4")
    origins = []

    for undo in (
        lambda: monkeypatch.delenv("CUSTIMPORT_RETRY_FOR"),
        Path(".env").unlink,
        lambda: monkeypatch.delenv("CUSTIMPORT_PROFILE"),
        Path("custimport.toml").unlink,
        lambda: None,
    ):
        monkeypatch.setenv("CUSTIMPORT_PROFILE", "prod") if not origins else None
        found = settings(run_offline)["retry_for"]
        origins.append((found["value"], found["origin"]))
        undo()

    assert origins == [
        (4, "environment variable CUSTIMPORT_RETRY_FOR"),
        (3, "file .env"),
        (2, "file custimport.toml, profile prod"),
        (1, "file custimport.toml"),
        (60, "default"),
    ]


@pytest.mark.parametrize("where", [("--profile", "prod", "check"), ("check", "--profile", "prod")])
def test_an_option_wins_over_everything_and_a_configured_value_is_used(run_offline, monkeypatch, where) -> None:
    configure('[profiles.prod]\ndate_format = ["%d/%m/%Y"]\nmap = { "Mail" = "email" }\nmax_rejections = "0"\n')
    Path("customers.csv").write_text("full_name,Mail,date_of_birth,timezone\nAnn,ann@example.com,15/01/1990,UTC\n,,,\n")
    monkeypatch.setenv("CUSTIMPORT_REPORT", "a.jsonl;b.csv")

    stopped = run_offline(*where, "customers.csv", "--json", "-q", exit_code=4).json
    done = run_offline(*where, "customers.csv", "--json", "-q", "--max-rejections", "1", exit_code=3).json

    assert stopped["imports"][0]["status"] == "stopped"
    assert done["totals"] == {"read": 2, "inserted": 1, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 1}
    assert done["imports"][0]["reports"] == ["a.jsonl", "b.csv"]


def test_a_load_uses_what_is_configured(run, monkeypatch) -> None:
    configure('on_duplicate = "update"\nbatch_size = 7\nencoding = "cp1252"\ndelimiter = ","\nquotechar = "\'"\n')
    monkeypatch.setenv("CUSTIMPORT_MIN_DATE_OF_BIRTH", "1950-01-01")

    options = in_use(run)["options"]
    overridden = in_use(run, "--batch-size", "9", "--on-duplicate", "skip")

    assert options["batch_rows"] == 7
    assert (options["encoding"], options["quotechar"], options["min_date_of_birth"]) == ("cp1252", "'", "1950-01-01")
    assert overridden["options"]["batch_rows"] == 9
    assert overridden["on_duplicate"] == "skip"


def test_values_may_be_written_as_comes_naturally(run_offline, monkeypatch) -> None:
    configure('max_rejections = 5\nreport = "a.csv"\n')
    monkeypatch.setenv("CUSTIMPORT_DELIMITER", "\t")
    monkeypatch.setenv("CUSTIMPORT_ON_DUPLICATE", " Update")
    monkeypatch.setenv("CUSTIMPORT_LOG_VALUES", "no")

    found = settings(run_offline)

    names = ("max_rejections", "report", "delimiter", "on_duplicate", "log_values")
    assert [found[name]["value"] for name in names] == ["5", ["a.csv"], "\t", "update", False]


def test_resume_keeps_the_options_of_the_import_whatever_is_configured_now(run, database) -> None:
    rows = "".join(f"Ann,{'x' if n < 6 else ''}{n}@example.com,1990-01-15,Mars/Base\n" for n in range(30))
    Path("customers.csv").write_text(HEADER + rows)
    run("load", "customers.csv", "--max-rejections", "20", "--report", "first.jsonl", "-q", exit_code=4)
    configure('max_rejections = "100%"\nreport = "second.jsonl"\nbatch_size = 1\non_duplicate = "update"\n')

    kept = run("load", "--resume", "last", "-q", exit_code=4)
    overridden = run("load", "--resume", "last", "--max-rejections", "30", "--json", "-q", exit_code=3).json

    assert "--max-rejections is 20" in kept.stderr
    assert not Path("second.jsonl").exists()
    assert overridden["imports"][0]["reports"] == ["first.jsonl"]
    assert overridden["imports"][0]["on_duplicate"] == "reject"


def test_the_uri_of_a_profile_is_used_and_named(run_offline, mongod, database) -> None:
    configure(f'[profiles.test]\nuri = "{mongod.uri.replace("/?", f"/{database.name}?")}"\n')
    Path("customers.csv").write_text(HEADER + "Ann,ann@example.com,1990-01-15,UTC\n")

    run_offline("load", "customers.csv", "--profile", "test")
    status = run_offline("db", "status", "--json", "--profile", "test").json
    run_offline("load", "customers.csv", exit_code=8)

    assert database.customers.count_documents({}) == 1
    assert status["origin"] == "file custimport.toml, profile test"


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ((), {}, "of_file"),
        (("--uri", "mongodb://h/of_option"), {}, "of_option"),
        (("--uri", "mongodb://h"), {}, "of_file"),
        (("--uri", "mongodb://h/of_option", "--database", "named"), {}, "named"),
        ((), {"MONGODB_URI": "mongodb://h/of_variable"}, "of_variable"),
        ((), {"MONGODB_URI": "mongodb://h/of_variable", "CUSTIMPORT_DATABASE": "named"}, "named"),
        (("--profile", "prod"), {}, "of_profile"),
    ],
)
def test_a_database_belongs_to_the_uri_beside_it(run_offline, monkeypatch, arguments, environment, expected) -> None:
    configure('uri = "mongodb://h/of_uri"\ndatabase = "of_file"\n[profiles.prod]\nuri = "mongodb://h/of_profile"\n')
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    Path("customers.csv").write_text(HEADER)
    timeout = "serverSelectionTimeoutMS=1"
    text = Path("custimport.toml").read_text()
    Path("custimport.toml").write_text(re.sub(r"(mongodb://h/\w+)", rf"\1?{timeout}", text))
    arguments = tuple(f"{each}{'' if '/of' in each else '/'}?{timeout}" if "//" in each else each for each in arguments)
    if "MONGODB_URI" in environment:
        monkeypatch.setenv("MONGODB_URI", f"{environment['MONGODB_URI']}?{timeout}")

    result = run_offline("load", "customers.csv", *arguments, exit_code=8)

    assert f"database {expected}\n" in result.stderr.splitlines(keepends=True)[0]


REFUSED = {
    "unknown key": ("batchsize = 5", ["custimport.toml: batchsize is no setting", "perhaps batch_size"]),
    "unknown key in a profile": (
        "[profiles.prod]\nur = 'x'",
        ["custimport.toml: profiles.prod.ur is no setting", "perhaps uri"],
    ),
    "another table": ("[profile.prod]\n", ["custimport.toml: profile is no setting", "perhaps profiles"]),
    "wrong type": ('batch_size = "5"', ["custimport.toml: batch_size: '5' is not a whole number from 1 to 100,000"]),
    "true is no number": ("retry_for = true", ["retry_for: True is not a number, 0 or more"]),
    "out of range": ("batch_size = 0", ["batch_size: 0 is not a whole number from 1 to 100,000"]),
    "no choice": ('on_duplicate = "never"', ["on_duplicate: 'never' is not reject or skip or update"]),
    "list of numbers": ("date_format = [5]", ["date_format: a list is not a list of texts"]),
    "date format": ('date_format = "%Q"', ["custimport.toml: date_format: --date-format '%Q' does not say year"]),
    "encoding": ('encoding = "klingon"', ["encoding: --encoding 'klingon' is not known"]),
    "delimiter": ('delimiter = "ab"', ["delimiter: 'ab' is not one character"]),
    "quotechar": ('quotechar = ""', ["quotechar: '' is not a text"]),
    "map": ('map = "Mail=mail"', ["map: 'Mail=mail' does not say COLUMN=field", "full_name, email"]),
    "limit": ('max_rejections = "many"', ["max_rejections: --max-rejections 'many' is not a limit"]),
    "report": ('report = "r.xlsx"', ["report: --report r.xlsx: the extension does not say a format"]),
    "day": ('min_date_of_birth = "1.1.1900"', ["min_date_of_birth: '1.1.1900' is not a day"]),
    "embedded": ('embedded = "no"', ["embedded: 'no' is not auto or never"]),
    "uri": (f'uri = "http://me:{PASSWORD}@h"', ["custimport.toml: uri: it does not begin with mongodb://"]),
    "broken": ("batch_size = 5\nx = = 1\n", ["custimport.toml: is not TOML", "line 2"]),
    "profiles": ("profiles = 5", ["custimport.toml: profiles holds tables"]),
    "another profile": ("[profiles.live]\nbatch_size = -1\n", ["profiles.live.batch_size: -1 is not"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_meant_is_refused_with_file_and_key(run_offline, name) -> None:
    text, expected = REFUSED[name]
    configure(text)
    Path("customers.csv").write_text(HEADER)

    for command in (("check", "customers.csv"), ("config", "show"), ("db", "uri")):
        refused = run_offline(*command, exit_code=2)
        for words in expected:
            assert words in refused.stderr
        assert len(refused.stderr.splitlines()) <= 2
        assert PASSWORD not in refused.stdout + refused.stderr
    assert "Usage" in run_offline("check", "--help").stdout


def test_a_file_in_another_encoding_is_refused(run_offline) -> None:
    Path("custimport.toml").write_bytes(b'map = "Stra\xdfe=email"\n')

    assert "custimport.toml: is not UTF-8 text" in run_offline("config", "show", exit_code=2).stderr


def test_profiles_and_files_that_are_not_there_are_refused(run_offline, monkeypatch) -> None:
    without = run_offline("config", "show", "--profile", "prod", exit_code=2)
    configure("[profiles.prod]\n[profiles.test]\n")
    wrong = run_offline("config", "show", "--profile", "prd", exit_code=2)
    missing = run_offline("config", "show", "--config", "other.toml", exit_code=2)
    monkeypatch.setenv("CUSTIMPORT_PROFILE", "nightly")
    named = run_offline("config", "show", exit_code=2)

    assert "there is no custimport.toml here" in without.stderr
    assert "there is no profile 'prd'" in wrong.stderr
    assert "the profiles are prod, test" in wrong.stderr
    assert "other.toml: there is no such configuration file" in missing.stderr
    assert "'nightly'" in named.stderr


def test_another_file_can_be_named(run_offline, monkeypatch, tmp_path) -> None:
    configure("batch_size = 1")
    other = configure("batch_size = 2", str(tmp_path / "other.toml"))

    by_option = run_offline("config", "show", "--json", "--config", other).json
    monkeypatch.setenv("CUSTIMPORT_CONFIG", str(other))
    by_variable = run_offline("config", "show", "--json").json

    assert by_option == by_variable
    assert by_option["file"] == str(other)
    assert by_option["settings"]["batch_size"] == {"value": 2, "origin": f"file {other}"}


def test_variables_are_judged_like_options_and_named(run_offline, monkeypatch) -> None:
    monkeypatch.setenv("CUSTIMPORT_BATCH_SIZE", "many")
    by_variable = run_offline("config", "show", exit_code=2)
    monkeypatch.setenv("CUSTIMPORT_BATCH_SIZE", "")
    Path(".env").write_text("CUSTIMPORT_ENCODING=klingon\n")
    by_file = run_offline("config", "show", exit_code=2)
    Path(".env").write_text("CUSTIMPORT_MONGODB_URL=mongodb://h\n")
    slip = run_offline("config", "show", exit_code=2)

    assert "environment variable CUSTIMPORT_BATCH_SIZE: 'many' is not a whole number" in by_variable.stderr
    assert ".env: CUSTIMPORT_ENCODING: --encoding 'klingon' is not known" in by_file.stderr
    assert "perhaps CUSTIMPORT_MONGODB_URI" in slip.stderr


@pytest.mark.parametrize("origin", ["custimport.toml", ".env", "variable", "file", "file in .env"])
def test_passwords_are_masked_wherever_the_uri_comes_from(run_offline, monkeypatch, tmp_path, origin) -> None:
    uri = f"mongodb://me:{PASSWORD}@db1,db2/crm?tlsCertificateKeyFilePassword={PASSWORD}"
    secret = tmp_path / "uri"
    secret.write_text(uri)
    if origin == "custimport.toml":
        configure(f'uri = "{uri}"')
    elif origin == "variable":
        monkeypatch.setenv("MONGODB_URI", uri)
    elif origin == "file":
        monkeypatch.setenv("CUSTIMPORT_MONGODB_URI_FILE", str(secret))
    else:
        value = f"CUSTIMPORT_MONGODB_URI={uri}" if origin == ".env" else f"CUSTIMPORT_MONGODB_URI_FILE={secret}"
        Path(".env").write_text(value)

    table = run_offline("config", "show")
    document = run_offline("config", "show", "--json")

    assert PASSWORD not in table.stdout + table.stderr + document.stdout + document.stderr
    found = document.json["settings"]
    assert found["uri"]["value"] == "mongodb://me:***@db1,db2/crm?tlsCertificateKeyFilePassword=***"
    assert found["uri"]["origin"] != "default"
    assert found["database"] == {"value": "crm", "origin": "uri"}


def test_a_uri_that_cannot_be_understood_is_not_shown(run_offline) -> None:
    configure(f'uri = "mongodb://me:pass?{PASSWORD}/@h/crm"')

    refused = run_offline("config", "show", exit_code=2)

    assert "the MongoDB URI from file custimport.toml cannot be understood" in refused.stderr
    assert PASSWORD not in refused.stdout + refused.stderr


def test_the_embedded_server_follows_the_configuration(run_offline, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("CUSTIMPORT_EMBEDDED")
    Path("customers.csv").write_text(HEADER)
    configure('embedded = "never"')
    forbidden = run_offline("load", "customers.csv", exit_code=8)
    monkeypatch.delenv("CUSTIMPORT_DATA_DIR")
    folder = tmp_path / "elsewhere"
    configure(f'data_dir = "{folder}"')
    uri = run_offline("db", "uri").stdout

    assert "forbids the embedded one" in forbidden.stderr
    assert "elsewhere" in uri or "custimport-" in uri
    assert settings(run_offline)["data_dir"]["value"] == str(folder)


@pytest.fixture
def no_variables(monkeypatch) -> None:
    """Not even those that keep the tests apart: for commands that reach no database."""
    monkeypatch.delenv("CUSTIMPORT_EMBEDDED")
    monkeypatch.delenv("CUSTIMPORT_DATA_DIR")


def test_the_table_has_every_setting_and_says_where_it_comes_from(run_offline, no_variables) -> None:
    configure('[map]\n"E-Mail" = "email"\n"Name" = "full_name"\n')

    lines = run_offline("config", "show").stdout.splitlines()

    assert [line.split()[0] for line in lines[1:]] == [setting.name for setting in SETTINGS]
    (of_map,) = (line for line in lines if line.startswith("map"))
    assert re.split(r"\s{2,}", of_map.strip()) == ["map", "E-Mail=email, Name=full_name", "file custimport.toml"]


def test_the_examples_hold_every_setting_and_are_accepted(run_offline, no_variables) -> None:
    example = configure((ROOT / "custimport.example.toml").read_text())
    shown = run_offline("config", "show", "--json", "--profile", "prod").json
    named = [name for name, each in shown["settings"].items() if "custimport.toml" in each["origin"]]
    assert named == [setting.name for setting in SETTINGS]
    example.unlink()

    text = re.sub(r"^#(CUSTIMPORT_)", r"\1", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    text = re.sub(r"^CUSTIMPORT_(CONFIG|PROFILE|MONGODB_URI_FILE)=.*\n", "", text, flags=re.MULTILINE)
    Path(".env").write_text(text)
    found = settings(run_offline)
    assert [name for name, each in found.items() if each["origin"] == "file .env"] == [
        setting.name for setting in SETTINGS
    ]
    assert found["map"]["value"] == ["E-Mail=email", "Name=full_name"]
    assert len(read_dotenv(Path(".env"))) == len(SETTINGS)


def test_the_settings_are_those_of_the_options() -> None:
    """What the table of settings says of an option is what the option itself takes."""
    load = typer.main.get_command(app).commands["load"]
    by_option = {option: parameter for parameter in load.params for option in parameter.opts}
    for setting in SETTINGS:
        if setting.option:
            parameter = by_option[setting.option]
            information = parameter.type_descriptor.parameter_info
            choices = parameter.type_descriptor.choices
            assert parameter.multiple == (setting.kind is Kind.LIST), setting.name
            assert [choice.value for choice in choices or ()] == list(setting.choices), setting.name
            if setting.kind in {Kind.NUMBER, Kind.WHOLE_NUMBER}:
                assert information.min == setting.minimum
                assert (information.max or float("inf")) == setting.maximum


def test_without_a_configuration_file_no_reader_is_imported() -> None:
    def imported() -> str:
        words = [sys.executable, "-X", "importtime", "-m", "custimport", "config", "show", "--json"]
        result = subprocess.run(words, capture_output=True, text=True, check=True)
        assert json.loads(result.stdout)["settings"]
        return result.stderr

    assert "tomllib" not in imported()
    configure("batch_size = 5")
    assert "tomllib" in imported()
