"""The report files of an import: where they lie, and that nobody ever sees half a one under its real name."""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Final

from custimport.errors import OutputUnwritable, UsageError
from custimport.pipeline.reporting import ReportWriter, report_format, report_writer, text_stream
from custimport.records import Header, ImportSummary, Rejection

NAME_PLACE: Final = "{name}"
STANDARD_INPUT: Final = "-"
_COMPRESSION_SUFFIXES: Final = frozenset({".gz", ".bz2", ".xz", ".zst"})


def plain_name(file: str) -> str:
    """The file's name without its extensions (`customers` of `old/customers.csv.gz`); `stdin` for `-`."""
    if file == STANDARD_INPUT:
        return "stdin"
    path = PurePath(file)
    while path.suffix.lower() in _COMPRESSION_SUFFIXES:
        path = path.with_suffix("")
    return path.stem


def check_report_paths(reports: Sequence[str], files: Sequence[str]) -> None:
    """Raises `UsageError` if a report has no format, would replace another one, an input, or has no folder."""
    inputs = {Path(file).resolve() for file in files if file != STANDARD_INPUT}
    taken: dict[Path, str] = {}
    for template in reports:
        report_format(template)
        if len(files) > 1 and NAME_PLACE not in template:
            raise UsageError(
                f"--report {template}: with several files the path must hold {NAME_PLACE}",
                hint="for example --report 'rejected/{name}.csv'",
            )
        for file in files:
            path = Path(template.replace(NAME_PLACE, plain_name(file))).resolve()
            if path in inputs:
                raise UsageError(f"--report {template}: is a file to load", hint="give another path")
            if path in taken:
                raise UsageError(f"--report {template}: {taken[path]} would have its report there too")
            if not path.parent.is_dir():
                raise UsageError(f"--report {template}: there is no folder {path.parent}", hint="make it first")
            taken[path] = file


class ImportReports:
    """All reports of one import: those asked for, or the default one, which is only made if it is needed."""

    def __init__(self, file: str, asked_for: Sequence[str], folder: Path) -> None:
        name = plain_name(file)
        self.asked_for = [Path(template.replace(NAME_PLACE, name)) for template in asked_for]
        default = [] if asked_for else [Path(os.path.relpath(folder / f"{name}.rejections.csv", folder))]
        self._default = default
        self._files: list[ReportFile] = []
        self._columns: tuple[str, ...] = ()
        self._import_id: str | None = None

    @property
    def paths(self) -> Sequence[str]:
        """Of the reports that there will be, given what was written so far."""
        return [str(report.path) for report in self._files]

    def open(self, header: Header, import_id: str | None) -> None:
        """Begin the reports asked for. Raises `OutputUnwritable`."""
        self._columns = header.columns
        self._import_id = import_id
        for path in self.asked_for:
            self._files.append(ReportFile(path, self._columns, import_id))

    def write(self, rejections: Iterable[Rejection]) -> None:
        """Append rejections, in file order; the first one begins the default report. Raises `OutputUnwritable`."""
        batch = list(rejections) if not isinstance(rejections, Sequence) else rejections
        if not batch:
            return
        while self._default:
            self._files.append(ReportFile(self._default.pop(), self._columns, self._import_id))
        for report in self._files:
            report.write(batch)

    def finish(self, summary: ImportSummary) -> None:
        """Complete the reports and put them in place. Raises `OutputUnwritable`."""
        for report in self._files:
            report.finish(summary)

    def abandon(self) -> None:
        """Close the reports as they are, under their `.partial` names."""
        for report in self._files:
            report.abandon()


class ReportFile:
    """One report on disk, mode 0600: written to `PATH.partial`, in place only when it is complete."""

    def __init__(self, path: Path, columns: Sequence[str], import_id: str | None) -> None:
        self.path = path
        self._partial = path.with_name(path.name + ".partial")
        self._import_id = import_id
        with self._told():
            # another user's file of that name is replaced, not written into; nobody else may read personal data
            self._partial.unlink(missing_ok=True)
            descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._stream: io.TextIOWrapper = text_stream(io.BufferedWriter(io.FileIO(descriptor, "w")))
            self._writer: ReportWriter = report_writer(report_format(str(path)), self._stream, columns)
            self._writer.begin()

    def write(self, rejections: Iterable[Rejection]) -> None:
        """Append rejections."""
        with self._told():
            self._writer.write(rejections)

    def finish(self, summary: ImportSummary) -> None:
        """Complete the report and give it its name."""
        with self._told():
            self._writer.end(summary)
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._partial.replace(self.path)

    def abandon(self) -> None:
        """Leave what there is; an error does not matter any more."""
        try:
            self._stream.close()
        except OSError:
            # closing tries to write what is left once more; the descriptor is closed all the same
            return

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            again = f"custimport imports rejections {self._import_id}" if self._import_id else "the same command"
            raise OutputUnwritable(
                f"{self.path}: the report cannot be written: {error.strerror or error}",
                hint=f"mend that; the report can be made again with: {again}",
            ) from error
