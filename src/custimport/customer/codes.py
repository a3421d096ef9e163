"""The catalogue of everything that can be wrong with a row.

The codes are public and stable; scripts rely on them. Titles, examples and cures are for people, and
`docs/rejections.md` is generated from them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Code(StrEnum):
    """Why a row is not stored."""

    # the hash of enumerations is a function in Python, and codes are looked up for every rejected row
    __hash__ = str.__hash__

    BLANK = "blank"
    TOO_LONG = "too-long"
    INVALID_CHARACTER = "invalid-character"
    EMAIL_INVALID = "email-invalid"
    DATE_INVALID = "date-invalid"
    DATE_NOT_IN_PAST = "date-not-in-past"
    DATE_TOO_EARLY = "date-too-early"
    TIMEZONE_UNKNOWN = "timezone-unknown"
    TOO_FEW_CELLS = "too-few-cells"
    TOO_MANY_CELLS = "too-many-cells"
    UNCLOSED_QUOTE = "unclosed-quote"
    MALFORMED_QUOTING = "malformed-quoting"
    CELL_TOO_LARGE = "cell-too-large"
    ENCODING_ERROR = "encoding-error"
    DUPLICATE_IN_FILE = "duplicate-in-file"
    DUPLICATE_IN_DATABASE = "duplicate-in-database"
    WRITE_REFUSED = "write-refused"


class RowError(NamedTuple):
    """One reason why a row is rejected. `value` is the whole cell; it is cut only where it is shown.

    `field` is None for errors of structure. `related_row` (1-based) and `related_customer_id` (24 hex digits)
    say which row or customer has the e-mail already.
    """

    code: Code
    field: str | None
    value: str | None
    message: str
    hint: str | None = None
    related_row: int | None = None
    related_customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """One entry of the catalogue: `group` is what the code is about, `example` a piece of a file."""

    code: Code
    group: str
    title: str
    example: str
    cure: str


CATALOGUE: Final = (
    CodeEntry(
        Code.BLANK, "value", "The cell is empty, or holds only white space or invisible characters.",
        ",alice@example.com,1990-01-15,UTC", "Fill the cell in; all four fields are required.",
    ),
    CodeEntry(
        Code.TOO_LONG, "value", "The name has more than 200 characters.",
        "Aaaa… (201 times),alice@example.com,1990-01-15,UTC", "Shorten the name.",
    ),
    CodeEntry(
        Code.INVALID_CHARACTER, "value",
        "The name holds a control character, such as a line break, a tab or NUL.",
        '"Alice⏎Martin",alice@example.com,1990-01-15,UTC', "Remove the character named in the reason.",
    ),
    CodeEntry(
        Code.EMAIL_INVALID, "value", "The cell is not one e-mail address.",
        "Alice,alice@example,1990-01-15,UTC",
        "Correct the address; give the bare address, without a display name or angle brackets.",
    ),
    CodeEntry(
        Code.DATE_INVALID, "value", "The date is not a real day written in an accepted format.",
        "Alice,alice@example.com,15/01/1990,UTC",
        "Write YYYY-MM-DD, or name the file's format with --date-format.",
    ),
    CodeEntry(
        Code.DATE_NOT_IN_PAST, "value", "The date of birth is today or later (UTC, when the import began).",
        "Alice,alice@example.com,2999-01-15,UTC", "Correct the year.",
    ),
    CodeEntry(
        Code.DATE_TOO_EARLY, "value", "The date of birth is before the earliest accepted one (1900-01-01).",
        "Alice,alice@example.com,1890-01-15,UTC",
        "Correct the year, or set another limit with --min-date-of-birth.",
    ),
    CodeEntry(
        Code.TIMEZONE_UNKNOWN, "value", "The time zone is not a name of the IANA time zone database.",
        "Alice,alice@example.com,1990-01-15,CEST",
        "Write a name such as Europe/Paris; upper and lower case matter.",
    ),
    CodeEntry(
        Code.TOO_FEW_CELLS, "structure", "The row has fewer cells than the header has columns.",
        "Alice,alice@example.com,1990-01-15", "Add the missing cells; an empty cell still needs its delimiter.",
    ),
    CodeEntry(
        Code.TOO_MANY_CELLS, "structure", "The row has more cells than the header has columns.",
        "Martin, Alice,alice@example.com,1990-01-15,UTC",
        'Put a cell that holds the delimiter in quotes: "Martin, Alice"; in a report, clear rejection_extra_cells.',
    ),
    CodeEntry(
        Code.UNCLOSED_QUOTE, "structure", "A quote opens in this line and does not close where it could.",
        '"Alice,alice@example.com,1990-01-15,UTC', "Close the quote, or double it if it belongs to the text.",
    ),
    CodeEntry(
        Code.MALFORMED_QUOTING, "structure", "Text follows a closing quote inside a cell.",
        '"Bob "The Man" Jones",bob@example.com,1985-03-22,UTC',
        'Double the quotes inside the cell: "Bob ""The Man"" Jones".',
    ),
    CodeEntry(
        Code.CELL_TOO_LARGE, "structure", "A cell has more than 131,072 characters, or a line is beyond any record.",
        "Aaaa… (131,073 times),alice@example.com,1990-01-15,UTC", "Shorten the cell.",
    ),
    CodeEntry(
        Code.ENCODING_ERROR, "structure", "The line holds bytes that are not text in the file's encoding.",
        r"Jos\xE9,jose@example.com,1990-01-15,Europe/Madrid",
        "Name the file's encoding with --encoding (cp1252 is the usual one for old Windows exports).",
    ),
    CodeEntry(
        Code.DUPLICATE_IN_FILE, "duplicate", "An earlier row of the same file has the same e-mail address.",
        "the second of two rows with dup@example.com",
        "Remove one of the rows, or choose --on-duplicate skip or update.",
    ),
    CodeEntry(
        Code.DUPLICATE_IN_DATABASE, "duplicate", "A customer with this e-mail address is stored already.",
        "a row with the e-mail address of a stored customer",
        "Nothing, if the customer is right as it is; else choose --on-duplicate skip or update.",
    ),
    CodeEntry(
        Code.WRITE_REFUSED, "database", "The database refused this one document, for its own reason.",
        "a row that breaks a validation rule or a further unique index of the collection",
        "See the reason: it quotes the server; change the rule in the database or the row.",
    ),
)  # fmt: skip
