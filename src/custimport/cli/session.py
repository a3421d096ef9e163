"""Joins the command line with the store. The only place that imports the store, and only when a command needs it:

pymongo takes a tenth of a second to import, which `--help` must not pay.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from custimport.cli.terminal import note
from custimport.errors import Refused

if TYPE_CHECKING:
    from custimport.store.connection import Store


@contextmanager
def open_store(
    uri: str | None, database: str | None, *, announce: bool = False, quiet: bool = False
) -> "Iterator[Store]":
    """A connected store; what goes wrong with the database leaves as a `DatabaseError`.

    `announce` names the target on standard error first, unless `quiet`.
    """
    from custimport.store import connection

    target = connection.resolve_target(uri, database, os.environ, Path.cwd())
    if announce:
        note(f"target: {target.description()}", quiet=quiet)
    with connection.translated_errors(target.description()), connection.open_store(target, os.environ) as store:
        yield store


def confirm(question: str, *, yes: bool) -> None:
    """Ask on the terminal; returns when the answer is yes.

    Raises `Refused` for any other answer, and, without a terminal, unless `yes` was given.
    """
    if yes:
        return
    if not _is_terminal():
        raise Refused(f"not confirmed: {question}", hint="add --yes to confirm without a terminal")
    if not typer.confirm(question, err=True):
        raise Refused("not confirmed; nothing was changed")


def _is_terminal() -> bool:
    import sys

    return sys.stdin.isatty()
