"""A file that others see only when it is finished, and that only its owner may read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from custimport.errors import OutputUnwritable

OWNER_ONLY: Final = 0o600


@contextmanager
def finished_file(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text stream whose content stands at `path` once the block has ended without an error.

    Until then it is in `PATH.partial`, which an error removes; what was at `path` before stays until the end. A
    device or named pipe is written directly. Raises `OutputUnwritable` if it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8", newline="") as stream:
                yield stream
        else:
            # through a link, the file that it points to is replaced, not the link
            with _replacing(path.resolve()) as stream:
                yield stream
    except OSError as error:
        raise OutputUnwritable(
            f"{path} cannot be written: {error.strerror or error}", hint="choose another place with --output"
        ) from error


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    partial = path.with_name(path.name + ".partial")
    # created anew: never through a link that somebody left there, never with another file's rights
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
