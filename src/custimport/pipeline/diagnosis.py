"""What the rejections of an import have in common, and the option that would help: said at its end, never done."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from custimport.customer.codes import Code, RowError
from custimport.customer.date_formats import MAX_DATES, diagnose
from custimport.customer.dates import Rules
from custimport.customer.wording import quoted
from custimport.records import Header, Rejection

LEAST_ROWS: Final = 3
LEAST_SHARE: Final = 0.1
"""Fewer rows of one reason, or a smaller share of all, are faults of their own and not of the file."""
MAX_ZONES: Final = 10_000
"""Refused time zones that are looked at."""
SHOWN_ZONES: Final = 3
REJECTIONS_AT_ONCE: Final = 1_000


class Diagnosis:
    """Watches the rejections of one import; what is kept does not grow with them."""

    def __init__(self, header: Header, rules: Rules, encoding_advice: Callable[[], str]) -> None:
        self._width = len(header.columns)
        self._delimiter = header.delimiter
        self._rules = rules
        self._encoding_advice = encoding_advice
        self._dates: list[str] = []
        self._refused_days = 0
        self._zones: Counter[tuple[str, str | None]] = Counter()
        self._zone_rows = 0
        self._widths: Counter[int] = Counter()
        self._blank_fields: Counter[str] = Counter()
        self._without_at_sign = 0
        # a table: this is asked for every rejection of a file that may have nothing else
        self._notices: dict[Code, Callable[[Rejection, RowError], None]] = {
            Code.DATE_INVALID: self._notice_date,
            Code.TIMEZONE_UNKNOWN: self._notice_zone,
            Code.TOO_FEW_CELLS: self._notice_width,
            Code.TOO_MANY_CELLS: self._notice_width,
            Code.EMAIL_INVALID: self._notice_email,
            Code.BLANK: self._notice_blank,
        }

    def passing(self, rejections: Iterable[Rejection]) -> Iterator[Rejection]:
        """The same rejections, watched on their way; streams."""
        remaining = iter(rejections)
        while batch := list(islice(remaining, REJECTIONS_AT_ONCE)):
            self.watch(batch)
            yield from batch

    def watch(self, rejections: Sequence[Rejection]) -> None:
        """Look at some rejections."""
        notices = self._notices
        for rejection in rejections:
            for error in rejection[3]:
                notice = notices.get(error[0])
                if notice is not None:
                    notice(rejection, error)

    def _notice_date(self, _rejection: Rejection, error: RowError) -> None:
        self._refused_days += 1
        if len(self._dates) < MAX_DATES:
            self._dates.append(error.value or "")

    def _notice_zone(self, _rejection: Rejection, error: RowError) -> None:
        if self._zone_rows < MAX_ZONES:
            self._zone_rows += 1
            self._zones[((error.value or "").strip(), error.hint)] += 1

    def _notice_width(self, rejection: Rejection, _error: RowError) -> None:
        self._widths[len(rejection.cells)] += 1

    def _notice_email(self, _rejection: Rejection, error: RowError) -> None:
        self._without_at_sign += "@" not in (error.value or "")

    def _notice_blank(self, _rejection: Rejection, error: RowError) -> None:
        self._blank_fields[error.field or ""] += 1

    def findings(self, read: int, by_code: Mapping[str, int]) -> list[str]:
        """What is worth saying of `read` rows, rejected as `by_code` counts; one sentence each."""
        found = []
        for code, rows in by_code.items():
            often = rows >= LEAST_ROWS and rows >= LEAST_SHARE * read
            if code == Code.ENCODING_ERROR:
                found.append(f"{_rows_are(rows)} not text in the file's encoding: {self._encoding_advice()}")
            elif code == Code.DATE_INVALID and often:
                found += self._date_finding(read, by_code)
            elif code == Code.TIMEZONE_UNKNOWN and often:
                found.append(self._zone_finding(rows))
            elif 2 * rows > read and rows >= LEAST_ROWS:
                found += self._general_finding(Code(code), rows)
        return found

    def _date_finding(self, read: int, by_code: Mapping[str, int]) -> list[str]:
        diagnosis = diagnose(self._dates)
        if diagnosis is None:
            return []
        if not diagnosis.formats:
            return [diagnosis.text]
        formats = list(diagnosis.formats)
        # the option replaces YYYY-MM-DD, in which other rows may be written; rows without trusted cells tell nothing
        structural = sum(by_code.get(code, 0) for code in _STRUCTURAL)
        judged = read - structural
        if not self._rules.date_formats and self._refused_days + self._blank_fields["date_of_birth"] < judged:
            formats.append("%Y-%m-%d")
        options = " ".join(f"--date-format '{pattern}'" for pattern in formats)
        return [f"{diagnosis.text}: add {options}"]

    def _zone_finding(self, rows: int) -> str:
        most = self._zones.most_common(SHOWN_ZONES)
        examples = ", ".join(
            f"{quoted(text)} {count:,}" + (f" ({hint})" if hint else "") for (text, hint), count in most
        )
        return f"{_rows_are(rows)} without a known time zone, most often {examples}: replace the names in the file"

    def _general_finding(self, code: Code, rows: int) -> list[str]:
        match code:
            case Code.TOO_FEW_CELLS | Code.TOO_MANY_CELLS:
                shown = {"\t": "tab"}.get(self._delimiter, self._delimiter)
                return [
                    f"{count:,} rows have {width} cells, the header {self._width}: "
                    f"are the header and the delimiter ({shown}) right?"
                    for width, count in self._widths.most_common(1)
                ]
            case Code.UNCLOSED_QUOTE | Code.MALFORMED_QUOTING:
                return [f"{_rows_are(rows)} not quoted as CSV is: name the quote character with --quotechar"]
            case Code.EMAIL_INVALID if 2 * self._without_at_sign > rows:
                count = self._without_at_sign
                return [f'{count:,} e-mails hold no @: is it the right column? --map "COLUMN=email" names another']
            case Code.BLANK:
                return [
                    f'{count:,} rows have no {field}: is it the right column? --map "COLUMN={field}" names another'
                    for field, count in self._blank_fields.most_common(1)
                ]
            case Code.DUPLICATE_IN_DATABASE:
                return [f"{_rows_are(rows)} stored already: choose --on-duplicate skip or update if the file is right"]
            case _:
                return []


_STRUCTURAL: Final = (
    Code.TOO_FEW_CELLS,
    Code.TOO_MANY_CELLS,
    Code.UNCLOSED_QUOTE,
    Code.MALFORMED_QUOTING,
    Code.CELL_TOO_LARGE,
    Code.ENCODING_ERROR,
)


def _rows_are(rows: int) -> str:
    return "1 row is" if rows == 1 else f"{rows:,} rows are"
