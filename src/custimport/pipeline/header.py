"""The header: which column is which field, and what to do when one is missing."""

import csv
import difflib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from custimport.customer import FIELDS
from custimport.errors import InputUnreadable, UsageError
from custimport.records import Header

DELIMITERS: Final = (",", ";", "\t", "|")
REPORT_PREFIX: Final = "rejection_"
EXTRA_CELLS_COLUMN: Final = "rejection_extra_cells"

_NEUTRALISED: Final = re.compile(r"'+[=+\-@\t\r]")
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^\r\n])"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UnderstoodHeader:
    """A header, and how the cells of each record are to be taken.

    `width` is the number of cells that a record must have; `kept` the 0-based positions of the file's own columns
    among them, None for all; `extra_cells_at` the position of a report's column of extra cells, if it has one.
    """

    header: Header
    width: int
    kept: tuple[int, ...] | None
    extra_cells_at: int | None


def separator_of(line: str) -> str | None:
    """The delimiter that a first line `sep=X` names (Excel), None if the line is none."""
    found = _SEPARATOR_LINE.fullmatch(line.rstrip("\r\n"))
    return found.group(1) if found else None


def without_neutraliser(cell: str) -> str:
    """A report's cell as it was in the file: one quote less where the report put one against formulas."""
    return cell[1:] if cell.startswith("'") and _NEUTRALISED.match(cell) else cell


def understand(
    line: str, file: str, column_map: Mapping[str, str], delimiter: str | None, quotechar: str
) -> UnderstoodHeader:
    """The header in `line` (all its physical lines), under the delimiter that fits it.

    Raises `InputUnreadable` if it lacks a field or has one twice, naming what was found and the `--map` to write;
    `UsageError` for a `--map` to a field that does not exist.
    """
    for field in column_map.values():
        if field not in FIELDS:
            raise UsageError(f"--map names {field!r}, which is no field", hint=f"the fields are {', '.join(FIELDS)}")
    candidates = [delimiter] if delimiter else DELIMITERS
    readings = {candidate: _cells(line, candidate, quotechar) for candidate in candidates}
    problems: dict[str, InputUnreadable] = {}
    for candidate, cells in readings.items():
        found = _understood(cells, file, column_map, candidate)
        if isinstance(found, UnderstoodHeader):
            return found
        problems[candidate] = found
    # the reading with the most cells is the one that the file's author meant
    raise problems[max(readings, key=lambda candidate: len(readings[candidate]))]


def _cells(line: str, delimiter: str, quotechar: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter, quotechar=quotechar), [])
    except csv.Error:
        return []


def normalised(column: str) -> str:
    """How a column's name is compared: trimmed, case folded, spaces and hyphens as underscores."""
    return re.sub(r"[ \-]", "_", column.strip().casefold())


def _understood(
    cells: Sequence[str], file: str, column_map: Mapping[str, str], delimiter: str
) -> UnderstoodHeader | InputUnreadable:
    is_report = any(normalised(cell).startswith(REPORT_PREFIX) for cell in cells)
    if is_report:
        cells = [without_neutraliser(cell) for cell in cells]
    kept = [at for at, cell in enumerate(cells) if not (is_report and normalised(cell).startswith(REPORT_PREFIX))]
    names = [cells[at] for at in kept]
    found: dict[str, list[int]] = {field: [] for field in FIELDS}
    mapped = {column.strip(): field for column, field in column_map.items()}
    for at, name in enumerate(names):
        field = mapped.get(name.strip())
        if field:
            found[field].append(at)
    missing_columns = [column for column in mapped if column not in {name.strip() for name in names}]
    if missing_columns:
        return InputUnreadable(
            f"{file}: --map names the column {missing_columns[0]!r}, which the file does not have",
            hint=_found_words(names),
        )
    for at, name in enumerate(names):
        field = normalised(name)
        # --map wins over a column that matches by itself
        if field in found and field not in mapped.values() and name.strip() not in mapped:
            found[field].append(at)
    problem = _problem(found, names, file)
    if problem is not None:
        return problem
    positions = tuple(found[field][0] for field in FIELDS)
    unique_names = _unique(names)
    extra = next((at for at, cell in enumerate(cells) if normalised(cell) == EXTRA_CELLS_COLUMN), None)
    header = Header(
        columns=unique_names,
        field_positions=(positions[0], positions[1], positions[2], positions[3]),
        delimiter=delimiter,
        ignored=tuple(name for at, name in enumerate(unique_names) if at not in positions),
        is_report=is_report,
    )
    return UnderstoodHeader(header, len(cells), tuple(kept) if is_report else None, extra if is_report else None)


def _problem(found: Mapping[str, Sequence[int]], names: Sequence[str], file: str) -> InputUnreadable | None:
    for field, places in found.items():
        if len(places) > 1:
            which = " and ".join(f"column {at + 1} ({names[at].strip()!r})" for at in places)
            return InputUnreadable(
                f"{file}: the header has {field} twice: {which}", hint=f'say which one it is: --map "COLUMN={field}"'
            )
    missing = [field for field, places in found.items() if not places]
    if not missing:
        return None
    hints = [_found_words(names)]
    free = [name.strip() for at, name in enumerate(names) if name.strip() and at not in _taken(found)]
    for field in missing:
        close = _closest(field, free)
        hints.append(f'{field}: --map "{close}={field}"' if close else f'{field}: --map "COLUMN={field}"')
    if len(missing) == len(FIELDS):
        hints.append("is the first line a header at all?")
    return InputUnreadable(f"{file}: the header lacks {', '.join(missing)}", hint="\n".join(hints))


def _taken(found: Mapping[str, Sequence[int]]) -> set[int]:
    return {at for places in found.values() for at in places}


def _closest(field: str, names: Sequence[str]) -> str | None:
    """The column that most looks like the field, by spelling or by being one of its usual names."""
    by_form = {normalised(name): name for name in names}
    for usual in _USUAL_NAMES[field]:
        if usual in by_form:
            return by_form[usual]
    close = difflib.get_close_matches(field, by_form, n=1, cutoff=0.6)
    return by_form[close[0]] if close else None


_USUAL_NAMES: Final = {
    "full_name": ("name", "fullname", "customer_name", "customer", "display_name", "nom"),
    "email": ("mail", "e_mail", "email_address", "e_mail_address", "emailaddress"),
    "date_of_birth": ("dob", "birth_date", "birthdate", "birthday", "born", "dateofbirth"),
    "timezone": ("tz", "time_zone", "zone", "tzid"),
}


def _found_words(names: Sequence[str]) -> str:
    shown = ", ".join(name.strip()[:60] for name in names[:30])
    return f"found: {shown}" + (f", … ({len(names)} columns)" if len(names) > 30 else "")


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Equal names made unique: the second `name` becomes `name#2`."""
    seen: dict[str, int] = {}
    unique: list[str] = []
    for name in names:
        seen[name] = count = seen.get(name, 0) + 1
        candidate = name if count == 1 else f"{name}#{count}"
        while candidate in unique or (count > 1 and candidate in names):
            seen[name] = count = count + 1
            candidate = f"{name}#{count}"
        unique.append(candidate)
    return tuple(unique)
