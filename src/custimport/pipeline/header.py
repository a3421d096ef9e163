"""The header: which column is which field, and what to do when one is missing."""

import csv
import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from custimport.customer import FIELDS
from custimport.errors import InputUnreadable, UsageError
from custimport.records import Header

DELIMITERS: Final = (",", ";", "\t", "|")
REPORT_PREFIX: Final = "rejection_"
EXTRA_CELLS_COLUMN: Final = "rejection_extra_cells"
IMPORT_COLUMN: Final = "rejection_import"
MAX_SHOWN_COLUMNS: Final = 30
MAX_COMPARED_COLUMNS: Final = 1_000
"""Columns among which a close match is looked for: each comparison takes some 20 µs."""

_NEUTRALISED: Final = re.compile(r"'+[=+\-@\t\r]")
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^\r\n])"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UnderstoodHeader:
    """A header, and how the cells of each record are to be taken.

    `width` is the number of cells that a record must have; `kept` the 0-based positions of the file's own columns
    among them, None for all; `extra_cells_at` and `import_at` the positions of a report's columns of extra cells and of
    the import, if it has them; `lines` the number of physical lines that the header takes.
    """

    header: Header
    width: int
    kept: tuple[int, ...] | None
    extra_cells_at: int | None
    import_at: int | None
    lines: int


def separator_of(line: str) -> str | None:
    """The delimiter that a first line `sep=X` names (Excel), None if the line is none."""
    found = _SEPARATOR_LINE.fullmatch(line.rstrip("\r\n"))
    return found.group(1) if found else None


def without_neutraliser(cell: str) -> str:
    """A report's cell as it was in the file: one quote less where the report put one against formulas."""
    return cell[1:] if cell.startswith("'") and _NEUTRALISED.match(cell) else cell


def understand(
    lines: Sequence[str], file: str, column_map: Mapping[str, str], delimiter: str | None, quotechar: str
) -> UnderstoodHeader:
    """The header that begins `lines`, under the delimiter that fits it.

    Raises `InputUnreadable` if it lacks a field or has one twice, naming what was found and the `--map` to write;
    `UsageError` for a `--map` to a field that does not exist.
    """
    for field in column_map.values():
        if field not in FIELDS:
            raise UsageError(f"--map names {field!r}, which is no field", hint=f"the fields are {', '.join(FIELDS)}")
    candidates = [delimiter] if delimiter else [usual for usual in DELIMITERS if usual != quotechar]
    problems: list[tuple[int, InputUnreadable]] = []
    for candidate in candidates:
        reader = csv.reader(lines, delimiter=candidate, quotechar=quotechar)
        try:
            cells = next(reader, [])
        except csv.Error:
            cells = []
        found = _understood(cells, file, column_map, candidate, reader.line_num)
        if isinstance(found, UnderstoodHeader):
            return found
        problems.append((len(cells), found))
    # the reading with the most cells is the one that the file's author meant
    raise max(problems, key=itemgetter(0))[1]


def normalised(column: str) -> str:
    """How a column's name is compared: trimmed, case folded, spaces and hyphens as underscores."""
    return re.sub(r"[ \-]", "_", column.strip().casefold())


def _understood(
    cells: Sequence[str], file: str, column_map: Mapping[str, str], delimiter: str, lines: int
) -> UnderstoodHeader | InputUnreadable:
    is_report = any(normalised(cell).startswith(REPORT_PREFIX) for cell in cells)
    if is_report:
        cells = [without_neutraliser(cell) for cell in cells]
    kept = [at for at, cell in enumerate(cells) if not (is_report and normalised(cell).startswith(REPORT_PREFIX))]
    names = [cells[at] for at in kept]
    unique_names, shown_names = _unique(names), _unique([name.strip() for name in names])
    found: dict[str, list[int]] = {field: [] for field in FIELDS}
    mapped = {column.strip(): field for column, field in column_map.items()}
    missing_columns = [column for column in mapped if column not in shown_names]
    if missing_columns:
        return InputUnreadable(
            f"{file}: --map names the column {missing_columns[0]!r}, which the file does not have",
            hint=_found_words(shown_names),
        )
    for at, shown in enumerate(shown_names):
        field = mapped.get(shown)
        if field:
            found[field].append(at)
    for at, name in enumerate(names):
        field = normalised(name)
        # --map wins over a column that matches by itself
        if field in found and field not in mapped.values() and shown_names[at] not in mapped:
            found[field].append(at)
    problem = _problem(found, shown_names, file)
    if problem is not None:
        return problem
    positions = tuple(found[field][0] for field in FIELDS)
    header = Header(
        columns=unique_names,
        field_positions=(positions[0], positions[1], positions[2], positions[3]),
        delimiter=delimiter,
        ignored=tuple(name for at, name in enumerate(unique_names) if at not in positions),
        is_report=is_report,
    )
    if not is_report:
        return UnderstoodHeader(header, len(cells), None, None, None, lines)
    extra_cells_at, import_at = (
        next((at for at, cell in enumerate(cells) if normalised(cell) == column), None)
        for column in (EXTRA_CELLS_COLUMN, IMPORT_COLUMN)
    )
    return UnderstoodHeader(header, len(cells), tuple(kept), extra_cells_at, import_at, lines)


def _problem(found: Mapping[str, Sequence[int]], names: Sequence[str], file: str) -> InputUnreadable | None:
    for field, places in found.items():
        if len(places) > 1:
            shown = places[:MAX_SHOWN_COLUMNS]
            which = " and ".join(f"column {at + 1} ({names[at]!r})" for at in shown)
            choices = " or ".join(f"--map {_quoted(f'{names[at]}={field}')}" for at in shown)
            return InputUnreadable(
                f"{file}: the header has {field} twice: {which}", hint=f"say which one it is: {choices}"
            )
    missing = [field for field, places in found.items() if not places]
    if not missing:
        return None
    text = "".join(names)
    if 3 * text.count("\0") > len(text):
        which = "utf-16-be" if names[0].startswith("\0") else "utf-16-le"
        return InputUnreadable(
            f"{file}: the header is full of NUL characters, as text in UTF-16 without a byte order mark is",
            hint=f"name the encoding: --encoding {which}",
        )
    hints = [_found_words(names)]
    taken = {at for places in found.values() for at in places}
    free = [name for at, name in enumerate(names[:MAX_COMPARED_COLUMNS]) if name and at not in taken]
    for field in missing:
        column = _closest(field, free) or "COLUMN"
        free = [name for name in free if name != column]
        hints.append(f"{field}: --map {_quoted(f'{column}={field}')}")
    if len(missing) == len(FIELDS):
        hints.append("is the first line a header at all?")
    return InputUnreadable(f"{file}: the header lacks {', '.join(missing)}", hint="\n".join(hints))


def _closest(field: str, names: Sequence[str]) -> str | None:
    """The column that most looks like the field, by spelling or by being one of its usual names."""
    by_form = {normalised(name): name for name in names}
    for usual in _USUAL_NAMES[field]:
        if usual in by_form:
            return by_form[usual]
    close = difflib.get_close_matches(field, by_form, n=1, cutoff=0.6)
    return by_form[close[0]] if close else None


_USUAL_NAMES: Final = {
    "full_name": (
        *("name", "fullname", "customer_name", "customer", "display_name"),
        *("nom", "kundenname", "nombre", "nome"),
    ),
    "email": (
        *("mail", "e_mail", "email_address", "e_mail_address", "emailaddress"),
        *("e_mail_adresse", "courriel", "correo_electronico"),
    ),
    "date_of_birth": (
        *("dob", "birth_date", "birthdate", "birthday", "born", "dateofbirth"),
        *("geburtsdatum", "date_de_naissance", "fecha_de_nacimiento", "data_di_nascita"),
    ),
    "timezone": ("tz", "time_zone", "zone", "tzid", "zeitzone", "fuseau_horaire", "zona_horaria", "fuso_orario"),
}


def _quoted(argument: str) -> str:
    """The argument for a shell, which would run what some names hold."""
    return shlex.quote(argument) if set(argument) & set('"$`\\!') else f'"{argument}"'


def _found_words(names: Sequence[str]) -> str:
    shown = ", ".join(name.strip()[:60] for name in names[:MAX_SHOWN_COLUMNS])
    return f"found: {shown}" + (f", … ({len(names)} columns)" if len(names) > MAX_SHOWN_COLUMNS else "")


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Equal names made unique: the second `name` becomes `name#2`."""
    counts: dict[str, int] = {}
    taken = set(names)
    unique: list[str] = []
    for name in names:
        counts[name] = count = counts.get(name, 0) + 1
        candidate = name
        if count > 1:
            while (candidate := f"{name}#{count}") in taken:
                counts[name] = count = count + 1
            taken.add(candidate)
        unique.append(candidate)
    return tuple(unique)
