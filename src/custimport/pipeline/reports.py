"""The report files of an import: where they lie, and that nobody ever sees half a one under its real name."""

import fcntl
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path, PurePath
from typing import Final

from custimport.choices import ReportFormat
from custimport.errors import OutputUnwritable, UsageError
from custimport.pipeline.reporting import ReportWriter, report_format, report_writer, text_stream
from custimport.records import Header, ImportSummary, Rejection
from custimport.settings import STANDARD_INPUT

NAME_PLACE: Final = "{name}"
REJECTIONS_AT_ONCE: Final = 1_000
"""Rejections held in memory while they go into every report."""
_COMPRESSION_SUFFIXES: Final = frozenset({".gz", ".bz2", ".xz", ".zst"})


def plain_name(file: str) -> str:
    """The file's name without its extensions (`customers` of `old/customers.csv.gz`); `stdin` for `-`."""
    if file == STANDARD_INPUT:
        return "stdin"
    path = PurePath(file)
    while path.suffix.lower() in _COMPRESSION_SUFFIXES:
        path = path.with_suffix("")
    return path.stem


def default_report_name(file: str) -> str:
    """The name of a file's report where none is asked for."""
    return f"{plain_name(file)}.rejections.csv"


def check_report_paths(reports: Sequence[str], files: Sequence[str]) -> None:
    """Raises `UsageError` if a report has no format or no folder, or would replace another one or an input.

    No reports: the default ones, in the working directory, are checked. Links are followed; two names of one file are
    the same file.
    """
    for template in reports:
        report_format(template)
        if len(files) > 1 and NAME_PLACE not in template:
            raise UsageError(
                f"--report {template}: with several files the path must hold {NAME_PLACE}",
                hint="for example --report 'rejected/{name}.csv'",
            )
    inputs = {identity: file for file in files if file != STANDARD_INPUT for identity in _identities(Path(file))}
    taken: dict[Path, str] = {}
    for file in files:
        for template in reports or [default_report_name(file)]:
            path = Path(template.replace(NAME_PLACE, plain_name(file)))
            shown = f"--report {template}" if reports else f"{path}, the report of {file}"
            _check_place(path, shown, inputs)
            if path.resolve() in taken:
                raise UsageError(
                    f"{shown}: {taken[path.resolve()]} would have its report there too",
                    hint="give every report a path of its own; load files of one name with a command each",
                )
            taken[path.resolve()] = file


def _check_place(path: Path, shown: str, inputs: "dict[Path | tuple[int, int], str]") -> None:
    for place in (path, partial_path(path)):
        for identity in _identities(place):
            if identity in inputs:
                what = "is" if place == path else f"is written by way of {place}, which is"
                raise UsageError(f"{shown}: {what} a file to load", hint="give another path with --report")
    if not path.resolve().parent.is_dir():
        raise UsageError(f"{shown}: there is no folder {path.resolve().parent}", hint="make it first")
    if path.is_dir():
        raise UsageError(f"{shown}: is a folder", hint="give the path of a file with --report")


def _identities(path: Path) -> "list[Path | tuple[int, int]]":
    """What tells that two paths are one file: where links lead, and, if there is a file, its device and inode."""
    identities: list[Path | tuple[int, int]] = [path.resolve()]
    with suppress(OSError):
        found = path.stat()
        identities.append((found.st_dev, found.st_ino))
    return identities


def partial_path(path: Path) -> Path:
    """Where a report is until it is complete."""
    return path.with_name(path.name + ".partial")


class ImportReports:
    """All reports of one import: those asked for, or the default one, which is only made if it is needed.

    The default one is made in `folder`, and shown as seen from the working directory.
    """

    def __init__(self, file: str, asked_for: Sequence[str], folder: Path) -> None:
        name = plain_name(file)
        self.asked_for = [Path(template.replace(NAME_PLACE, name)) for template in asked_for]
        self._default = [] if asked_for else [Path(os.path.relpath(folder / default_report_name(file)))]
        self._files: list[ReportFile] = []
        self._header = Header((), (0, 0, 0, 0), ",")
        self._import_id: str | None = None

    @property
    def paths(self) -> Sequence[str]:
        """Of the reports that there will be, given what was written so far."""
        return [str(report.path) for report in self._files]

    def open(self, header: Header, import_id: str | None) -> None:
        """Begin the reports asked for. Raises `OutputUnwritable`, and leaves nothing behind then."""
        self._header = header
        self._import_id = import_id
        try:
            for path in self.asked_for:
                self._files.append(ReportFile(path, header, import_id))
        except OutputUnwritable:
            for report in self._files:
                report.discard()
            raise

    def write(self, rejections: Iterable[Rejection]) -> None:
        """Append rejections, in file order; the first one begins the default report. Raises `OutputUnwritable`.

        Streams: of an iterator, `REJECTIONS_AT_ONCE` are held.
        """
        remaining = iter(rejections)
        while batch := list(islice(remaining, REJECTIONS_AT_ONCE)):
            while self._default:
                self._files.append(ReportFile(self._default[-1], self._header, self._import_id))
                self._default.pop()
            for report in self._files:
                report.write(batch)

    def finish(self, summary: ImportSummary) -> None:
        """Complete the reports and put them in place.

        Raises `OutputUnwritable` for the first that cannot be; the others are in place nevertheless.
        """
        problems: list[OutputUnwritable] = []
        for report in self._files:
            try:
                report.finish(summary)
            except OutputUnwritable as problem:
                problems.append(problem)
        if problems:
            raise problems[0]

    def abandon(self) -> None:
        """Close the reports as they are, under their `.partial` names."""
        for report in self._files:
            report.abandon()


class ReportFile:
    """One report on disk, mode 0600: written to `PATH.partial`, in place only when it is complete.

    Every method but `abandon` and `discard` raises `OutputUnwritable`, which names the path and the cause.
    """

    def __init__(self, path: Path, header: Header, import_id: str | None) -> None:
        self.path = path
        self._partial = partial_path(path)
        self._import_id = import_id
        self._format = report_format(str(path))
        with self._told():
            descriptor = _claimed(self._partial)
            self._stream: io.TextIOWrapper = text_stream(io.BufferedWriter(io.FileIO(descriptor, "w")))
            self._writer: ReportWriter = report_writer(
                self._format, self._stream, header.columns, import_id, header.field_positions
            )
            self._writer.begin()

    def write(self, rejections: Iterable[Rejection]) -> None:
        """Append rejections, in file order; streams."""
        with self._told():
            self._writer.write(rejections)

    def finish(self, summary: ImportSummary) -> None:
        """Complete the report and give it its name; closed in any case, under `.partial` if that fails."""
        try:
            with self._told():
                self._writer.end(summary)
                self._stream.flush()
                os.fsync(self._stream.fileno())
                # renamed before it is closed: closing gives up the lock, and the name could be another import's then
                self._partial.replace(self.path)
                self._stream.close()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leave what there is; an error does not matter any more. May be repeated."""
        # closing tries to write what is left once more; the descriptor is closed all the same
        with suppress(OSError):
            self._stream.close()

    def discard(self) -> None:
        """Leave nothing; only for a report without any rejection."""
        with suppress(OSError):
            self._partial.unlink()
        self.abandon()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            again = "the same command"
            if self._import_id:
                option = "" if self._format is ReportFormat.CSV else f" --format {self._format.value}"
                again = f"custimport imports rejections {self._import_id}{option}"
            raise OutputUnwritable(
                f"{self.path}: the report cannot be written: {error.strerror or error}",
                hint=f"mend that; the report can be made again with: {again}",
            ) from error


def _claimed(partial: Path) -> int:
    """A descriptor of the new, empty file, locked while it is open; raises `OSError`, also if it is being written.

    Without the lock a second import with a report of that name would pull the file away under the first one, which
    would then put the second one's unfinished report in place.
    """
    _remove_stale(partial)
    # made anew: another user's file or link is replaced, not written into; nobody else may read personal data
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _lock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _remove_stale(partial: Path) -> None:
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError:
        # a link, or a file of another user: no import of ours writes it
        partial.unlink(missing_ok=True)
        return
    try:
        _lock(descriptor)
        partial.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, "another import is writing a report of that name") from error
    except OSError:
        # a file system without locks; there, two imports with one report are the operator's care
        return
