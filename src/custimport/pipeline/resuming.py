"""Going on after a checkpoint: the file is read from its beginning, compared, and skipped up to there."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from custimport.errors import Refused
from custimport.records import ParsedRows, Position, Rejection, ValidatedRows

Row = tuple[int, int, Sequence[str], str | None]
"""A row's number, line, cells and raw text: what the file says of it."""


def rest_after(chunks: Iterable[ParsedRows], checkpoint: Position) -> ParsedRows | None:
    """Takes the chunks up to the checkpoint; gives what follows it in its own chunk, if anything does.

    The chunks must be cut as they were when the import began. Raises `Refused` at the checkpoint if the content before
    it is not what it was.
    """
    compared = checkpoint.content_bytes == 0
    inside = bool(checkpoint.rows_sha256)
    if compared and not inside:
        return None
    for chunk in chunks:
        if not compared:
            if chunk.position.content_bytes < checkpoint.content_bytes:
                continue
            compared = True
            if (chunk.position.content_bytes, chunk.position.content_sha256) != (
                checkpoint.content_bytes,
                checkpoint.content_sha256,
            ):
                raise _changed(checkpoint)
            if not inside:
                return None
        else:
            if rows_digest(rows_up_to(chunk, checkpoint.row)) != checkpoint.rows_sha256:
                raise _changed(checkpoint)
            rest = _rest(chunk, checkpoint.row)
            return rest if rest.numbers or rest.rejections else None
    raise _changed(checkpoint)


def up_to_row(chunk: ValidatedRows, last_row: int, start: Position) -> ValidatedRows:
    """The chunk's beginning, up to and including `last_row`; `start` is where the chunk before it ended.

    Its position says, beside the row, the content before the chunk and a digest of the rows since.
    """
    valid = [row for row in chunk.valid if row.row <= last_row]
    rejections = [rejection for rejection in chunk.rejections if rejection.row <= last_row]
    rows: list[Row] = [(row.row, row.line, row.cells, None) for row in valid]
    rows += [(rejection.row, rejection.line, rejection.cells, rejection.raw) for rejection in rejections]
    rows.sort(key=lambda row: row[0])
    return ValidatedRows(valid, rejections, position_within(start, rows, chunk.position.source_bytes))


def position_within(start: Position, rows: Sequence[Row], source_bytes: int) -> Position:
    """The position after `rows`, which follow `start` and do not end their chunk."""
    return replace(
        start,
        row=start.row + len(rows),
        line=rows[-1][1] if rows else start.line,
        rows_sha256=rows_digest(rows, start.rows_sha256),
        source_bytes=source_bytes,
    )


def rows_digest(rows: Iterable[Row], digest: str = "") -> str:
    """Hex digits for rows given as number, line, cells and raw text, going on from the digest of those before them."""
    for number, line, cells, raw in rows:
        digest = hashlib.sha256(json.dumps([digest, number, line, list(cells), raw]).encode()).hexdigest()
    return digest


def rows_up_to(chunk: ParsedRows, last_row: int) -> list[Row]:
    """The chunk's rows up to and including `last_row`."""
    rows: list[Row] = [
        (number, line, cells, None)
        for number, line, cells in zip(chunk.numbers, chunk.lines, chunk.cells, strict=True)
        if number <= last_row
    ]
    rows += [_as_row(rejection) for rejection in chunk.rejections if rejection.row <= last_row]
    return sorted(rows, key=lambda row: row[0])


def _as_row(rejection: Rejection) -> Row:
    return rejection.row, rejection.line, rejection.cells, rejection.raw


def _rest(chunk: ParsedRows, after_row: int) -> ParsedRows:
    kept = [index for index, number in enumerate(chunk.numbers) if number > after_row]
    return ParsedRows(
        numbers=[chunk.numbers[index] for index in kept],
        lines=[chunk.lines[index] for index in kept],
        cells=[chunk.cells[index] for index in kept],
        rejections=[rejection for rejection in chunk.rejections if rejection.row > after_row],
        position=chunk.position,
    )


def _changed(checkpoint: Position) -> Refused:
    return Refused(
        f"the file is not the one this import began with: up to row {checkpoint.row} (line {checkpoint.line}) "
        "its content has changed",
        hint="resume with the original file, or undo the import and load the new file",
    )
