"""The `.env` file of a working folder."""

from pathlib import Path

from custimport.errors import UsageError


def read_dotenv(path: Path) -> dict[str, str]:
    """The assignments of a `.env` file: NAME=value lines, optional quotes, optional `export`, # comments.

    Empty if there is no such file. Raises `UsageError` for one that cannot be read.
    """
    try:
        # a byte order mark would hide the first name, and the data would go to the embedded server
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    values = {}
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    """The value without its quotes, or without the comment behind it."""
    quote = value[:1]
    if quote and quote in "'\"" and quote in value[1:]:
        return value[1:].partition(quote)[0]
    return value.partition(" #")[0].rstrip()
