"""What ends a run, and with which exit code.

A problem of one row is a value (`custimport.records.Rejection`), never one of these.

    CustimportError
    ├── UsageError               2    the command cannot mean anything sensible
    ├── TooManyRejections        4    the import stopped at --max-rejections
    ├── Refused                  5    already loaded, held by another process, changed file, not confirmed
    ├── NotFound                 6    no such customer or import
    ├── InputUnreadable          7    the file cannot be opened, decoded, decompressed, or has no usable header
    ├── DatabaseError            8
    │   ├── DatabaseUnavailable       not reached, or lost: what was sent may or may not have arrived
    │   └── DatabaseRefused           reached, and it said no: rights, wrong password, read-only
    ├── OutputUnwritable         9    a report or output file
    └── Interrupted              130  SIGINT, or 143 SIGTERM

Anything else that escapes is a bug, shown with its traceback, exit code 1.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Every exit code of the program, one meaning each (contract.md, "Exit codes")."""

    DONE = 0
    BUG = 1
    USAGE = 2
    DATA_REJECTED = 3
    TOO_MANY_REJECTIONS = 4
    REFUSED = 5
    NOT_FOUND = 6
    INPUT_UNREADABLE = 7
    DATABASE = 8
    OUTPUT_UNWRITABLE = 9
    SIGINT = 130
    SIGTERM = 143


GRAVEST_FIRST = (
    ExitCode.SIGINT,
    ExitCode.SIGTERM,
    ExitCode.BUG,
    ExitCode.DATABASE,
    ExitCode.OUTPUT_UNWRITABLE,
    ExitCode.INPUT_UNREADABLE,
    ExitCode.REFUSED,
    ExitCode.TOO_MANY_REJECTIONS,
    ExitCode.DATA_REJECTED,
    ExitCode.USAGE,
    ExitCode.NOT_FOUND,
    ExitCode.DONE,
)


def gravest(codes: list[ExitCode]) -> ExitCode:
    """The one exit code of several results; `DONE` for none."""
    return next((code for code in GRAVEST_FIRST if code in codes), ExitCode.DONE)


class CustimportError(Exception):
    """The run cannot go on. `message` says what happened and where, `hint` what to do next."""

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CustimportError):
    """The options contradict each other or have an impossible value. Nothing was done."""

    exit_code = ExitCode.USAGE


class TooManyRejections(CustimportError):
    """More rows were rejected than --max-rejections allows. Rows before the stop are settled."""

    exit_code = ExitCode.TOO_MANY_REJECTIONS


class Refused(CustimportError):
    """The program could do it and does not, to protect data. Nothing was changed."""

    exit_code = ExitCode.REFUSED


class NotFound(CustimportError):
    """No customer or import goes by that name. Nothing was changed."""

    exit_code = ExitCode.NOT_FOUND


class InputUnreadable(CustimportError):
    """The input cannot be read (further). Rows before that place may be stored."""

    exit_code = ExitCode.INPUT_UNREADABLE


class DatabaseError(CustimportError):
    """The database cannot be used."""

    exit_code = ExitCode.DATABASE


class DatabaseUnavailable(DatabaseError):
    """The database was not reached or was lost. Do not assume that the last write failed."""


class DatabaseRefused(DatabaseError):
    """The database answered and said no (rights, authentication, read-only). The write did not happen."""


class OutputUnwritable(CustimportError):
    """A report or output file cannot be written; a report can be made again from the database."""

    exit_code = ExitCode.OUTPUT_UNWRITABLE


class Interrupted(CustimportError):
    """A signal asked the run to stop; everything before the checkpoint is settled."""

    exit_code = ExitCode.SIGINT

    def __init__(self, message: str, *, hint: str = "", exit_code: ExitCode = ExitCode.SIGINT) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code
