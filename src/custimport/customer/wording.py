"""How a value from a file is quoted inside a message."""

from custimport.settings import MAX_SHOWN_VALUE_CHARACTERS


def quoted(text: str) -> str:
    """The value in quotes, control characters escaped; a long one is cut, saying so."""
    if len(text) > MAX_SHOWN_VALUE_CHARACTERS:
        return f"{ascii_controls(text[:MAX_SHOWN_VALUE_CHARACTERS])!s}… (cut; {len(text):,} characters)"
    return ascii_controls(text)


def ascii_controls(text: str) -> str:
    """The text in double quotes, with every character that does not print escaped."""
    if text.isprintable():
        return f'"{text}"'
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text) + '"'
