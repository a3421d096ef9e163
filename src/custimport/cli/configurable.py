"""What can be configured: every setting with its option, its environment variables and what it may be.

What judges a value is imported when one is given: every command, and `--help` too, reads this module.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from custimport.choices import IfLoaded, Policy
from custimport.cli.event_log import LogFormat, LogLevel
from custimport.customer import FIELDS
from custimport.errors import UsageError
from custimport.settings import ENVIRONMENT_URI, ENVIRONMENT_URI_FILE, MAX_RECORD_BYTES

ENVIRONMENT_PREFIX: Final = "CUSTIMPORT_"
ENVIRONMENT_CONFIG: Final = "CUSTIMPORT_CONFIG"
ENVIRONMENT_PROFILE: Final = "CUSTIMPORT_PROFILE"
LIST_SEPARATOR: Final = ";"
"""Between the values of a list in an environment variable: column names and date formats hold spaces and commas."""


class Kind(StrEnum):
    """What a setting holds; the words are those of the messages and the docs."""

    TEXT = "text"
    WHOLE_NUMBER = "whole number"
    NUMBER = "number"
    CHOICE = "choice"
    LIST = "list of texts"
    YES_OR_NO = "true or false"


class Embedded(StrEnum):
    """Whether the embedded server may be used where no URI is given."""

    AUTO = "auto"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `name` is its key in custimport.toml.

    `minimum` and `maximum` bound numbers, both included; `check` is given a value of the right kind and raises
    `UsageError` for one that cannot be meant. A setting without an `option` is for the embedded server. `number_too`:
    a text that a file may also give as a whole number.
    """

    name: str
    meaning: str
    kind: Kind = Kind.TEXT
    option: str | None = ""
    environment: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    minimum: float = 0
    maximum: float = float("inf")
    check: Callable[[Any], object] | None = None
    number_too: bool = False

    def __post_init__(self) -> None:
        if self.option == "":
            object.__setattr__(self, "option", "--" + self.name.replace("_", "-"))
        if not self.environment:
            object.__setattr__(self, "environment", (ENVIRONMENT_PREFIX + self.name.upper(),))

    def value(self, given: Any, *, is_text: bool = False) -> Any:
        """What `given` means: a number, a text or a tuple of texts; raises `UsageError` for what cannot be meant.

        `is_text`: it comes from a variable, where everything is text and a list is separated by `;`.
        """
        value = _from_text(given, self.kind) if is_text else given
        wanted = self._wanted()
        if self.kind is Kind.LIST:
            if isinstance(value, dict) and self.name == "map":
                value = [f"{column}={field}" for column, field in value.items()]
            value = [value] if isinstance(value, str) else value
            right = isinstance(value, list) and all(isinstance(item, str) for item in value)
            value = tuple(value) if right else value
        elif self.kind is Kind.WHOLE_NUMBER:
            right = type(value) is int and self.minimum <= value <= self.maximum
        elif self.kind is Kind.NUMBER:
            right = type(value) in {int, float} and self.minimum <= value <= self.maximum
        elif self.kind is Kind.YES_OR_NO:
            right = isinstance(value, bool)
        elif self.kind is Kind.CHOICE:
            right = isinstance(value, str) and value in self.choices
        else:
            value = str(value) if self.number_too and type(value) is int else value
            right = isinstance(value, str) and bool(value)
        if not right:
            raise UsageError(f"{_shown(given)} is not {wanted}")
        if self.check is not None:
            for item in value if self.kind is Kind.LIST else (value,):
                self.check(item)
        return value

    def _wanted(self) -> str:
        match self.kind:
            case Kind.CHOICE:
                return " or ".join(self.choices)
            case Kind.WHOLE_NUMBER | Kind.NUMBER if self.maximum < float("inf"):
                return f"a {self.kind} from {self.minimum:,} to {self.maximum:,}"
            case Kind.WHOLE_NUMBER | Kind.NUMBER:
                return f"a {self.kind}, {self.minimum:,} or more"
            case Kind.YES_OR_NO:
                return str(self.kind)
            case _:
                return f"a {self.kind}"


def _from_text(text: str, kind: Kind) -> Any:
    """The value that a variable's text stands for; the text itself where it stands for none of that kind."""
    try:
        match kind:
            case Kind.WHOLE_NUMBER:
                return int(text)
            case Kind.NUMBER:
                return float(text)
    except ValueError:
        return text
    if kind in {Kind.CHOICE, Kind.YES_OR_NO}:
        text = text.strip().lower()
    if kind is Kind.YES_OR_NO:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text, text)
    if kind is Kind.LIST:
        return [item.strip() for item in text.split(LIST_SEPARATOR) if item.strip()]
    return text


def _shown(given: Any) -> str:
    """The value, as far as it may be shown: the only secret, a URI, is a text and is judged without being quoted."""
    return repr(given) if isinstance(given, str | int | float) else f"a {type(given).__name__}"


def _check_uri(value: str) -> None:
    # the value may hold a password: never quoted
    if not value.startswith(("mongodb://", "mongodb+srv://")):
        raise UsageError("it does not begin with mongodb:// or mongodb+srv://")


def _check_map(text: str) -> None:
    column, equals, field = text.rpartition("=")
    if not equals or not column.strip() or field.strip() not in FIELDS:
        raise UsageError(f"{text!r} does not say COLUMN=field", hint=f"the fields are {', '.join(FIELDS)}")


def _check_delimiter(text: str) -> None:
    if text.lower() not in {"tab", r"\t"}:
        _check_character(text)


def _check_character(text: str) -> None:
    if len(text) != 1 or text in "\r\n\x00":
        raise UsageError(f"{text!r} is not one character")


def _check_day(text: str) -> None:
    from custimport.customer.dates import iso_day

    if iso_day(text) is None:
        raise UsageError(f"{text!r} is not a day written YYYY-MM-DD")


def _check_date_format(text: str) -> None:
    from custimport.customer.dates import Rules

    Rules(date.min, date_formats=(text,))


def _check_limit(text: str) -> None:
    from custimport.pipeline.limit import RejectionLimit

    RejectionLimit.parse(text)


def _check_report(path: str) -> None:
    from custimport.pipeline.reporting import report_format

    report_format(path)


def _check_encoding(name: str) -> None:
    from custimport.pipeline.text import known_encoding

    known_encoding(name)


SETTINGS: Final = (
    Setting("uri", "MongoDB to use", environment=(*ENVIRONMENT_URI, ENVIRONMENT_URI_FILE), check=_check_uri),
    Setting("database", "database to use"),
    Setting(
        "embedded",
        "whether the embedded server may be used where no URI is given",
        Kind.CHOICE,
        option=None,
        choices=tuple(Embedded),
    ),
    Setting("mongod", "the embedded server's program", option=None),
    Setting("data_dir", "folder of the embedded server", option=None),
    Setting("embedded_idle_seconds", "when the unused embedded server stops", Kind.NUMBER, option=None),
    Setting("on_duplicate", "what happens to an e-mail that is there already", Kind.CHOICE, choices=tuple(Policy)),
    Setting("if_loaded", "what happens to a file that was loaded before", Kind.CHOICE, choices=tuple(IfLoaded)),
    Setting("max_rejections", "when a load stops: N or N%", check=_check_limit, number_too=True),
    Setting(
        "stop_on_systematic",
        "whether a load stops when most of its first rows fail alike: true or false",
        Kind.YES_OR_NO,
    ),
    Setting("report", "where rejected rows go; {name} is the file's name", Kind.LIST, check=_check_report),
    Setting("batch_size", "rows in one write command", Kind.WHOLE_NUMBER, minimum=1, maximum=100_000),
    Setting("workers", "processes that read and validate", Kind.WHOLE_NUMBER, minimum=1, maximum=64),
    Setting("retry_for", "seconds to wait for a database that went away", Kind.NUMBER),
    Setting("map", "COLUMN=field, or a table of them", Kind.LIST, check=_check_map),
    Setting("encoding", "the files' encoding", check=_check_encoding),
    Setting("delimiter", "the character between cells, or tab", check=_check_delimiter),
    Setting("quotechar", "the quote character", check=_check_character),
    Setting("date_format", "how dates of birth are written", Kind.LIST, check=_check_date_format),
    Setting(
        "max_record_bytes", "a longer line is one rejection", Kind.WHOLE_NUMBER, minimum=1_000, maximum=MAX_RECORD_BYTES
    ),
    Setting("min_date_of_birth", "the earliest date of birth that is believed", check=_check_day),
    Setting("log_format", "how the log is written", Kind.CHOICE, choices=tuple(LogFormat)),
    Setting("log_file", "where the log goes; standard error without it"),
    Setting("log_level", "the least grave events in the log", Kind.CHOICE, choices=tuple(LogLevel)),
    Setting("log_values", "whether the log may show e-mails, names and birth dates: true or false", Kind.YES_OR_NO),
)
"""Every setting, in the order in which `custimport config show` lists them."""

BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SETTINGS}
BY_OPTION: Final[Mapping[str, Setting]] = {setting.option: setting for setting in SETTINGS if setting.option}
