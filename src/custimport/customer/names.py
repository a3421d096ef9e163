"""Full names: any script, no control characters, something to see."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from custimport.customer.codes import Code, RowError

FIELD: Final = "full_name"

MAX_NAME_CODE_POINTS: Final = 200
_LONGEST_WRITTEN: Final = 4 * MAX_NAME_CODE_POINTS
"""No code point has a canonical decomposition of more than four, so NFC leaves at least a quarter of a text. What is
longer is refused without it: normalising takes quadratic time where marks are piled up."""

_REFUSED: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Category Cc, the two Unicode line separators, and halves of surrogate pairs, which are no characters."""

_BLANK_LOOKING: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that show nothing though they are letters, marks or symbols (Unicode: Default_Ignorable_Code_Point, and
the empty Braille pattern); the others are found by category or are variation selectors."""

_STAND_IN: Final = "x"
"""A plain name in the place of one that is judged by itself."""


def stored_full_name(text: str) -> str | RowError:
    """The name in NFC without white space around it, 1 to 200 code points; or why it cannot be stored."""
    name = text.strip()
    if name.isascii() and name.isprintable() and 0 < len(name) <= MAX_NAME_CODE_POINTS:
        return name
    if not name:
        return RowError(Code.BLANK, FIELD, text, "the name is missing")
    refused = _REFUSED.search(name)
    if refused is not None:
        place = text.index(name) + refused.start() + 1
        message = f"the name holds the control character U+{ord(refused.group()):04X} at position {place}"
        return RowError(Code.INVALID_CHARACTER, FIELD, text, message)
    if len(name) <= _LONGEST_WRITTEN and not unicodedata.is_normalized("NFC", name):
        name = unicodedata.normalize("NFC", name)
    if len(name) > MAX_NAME_CODE_POINTS:
        message = f"the name has {len(name):,} characters, at most {MAX_NAME_CODE_POINTS} are allowed"
        return RowError(Code.TOO_LONG, FIELD, text, message)
    if all(map(is_invisible, name)):
        return RowError(Code.BLANK, FIELD, text, "the name holds only invisible characters")
    return name


def stored_full_names(texts: Sequence[str]) -> list[str | RowError]:
    """`stored_full_name` of every text; plain ones are judged together, without a call each."""
    stripped = list(map(str.strip, texts))
    odd: list[int] = []
    if not "".join(stripped).isascii():
        odd = [index for index, is_ascii in enumerate(map(str.isascii, stripped)) if not is_ascii]
        for index in odd:
            stripped[index] = _STAND_IN
    if (
        not all(stripped)
        or not "".join(stripped).isprintable()
        or max(map(len, stripped), default=0) > MAX_NAME_CODE_POINTS
    ):
        odd += [
            index
            for index, name in enumerate(stripped)
            if not name.isprintable() or not 0 < len(name) <= MAX_NAME_CODE_POINTS
        ]
    names: list[str | RowError] = [*stripped]
    for index in odd:
        names[index] = stored_full_name(texts[index])
    return names


def is_invisible(character: str) -> bool:
    """Whether the character shows nothing: separators, formats, unassigned ones, fillers and variation selectors."""
    return (
        unicodedata.category(character)[0] in "ZC"
        or character in _BLANK_LOOKING
        or "\ufe00" <= character <= "\ufe0f"
        or "\u180b" <= character <= "\u180f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )
