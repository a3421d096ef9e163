"""Which code page lines that are not UTF-8 were probably written in. Only said, never done.

A wrong code page is worse than none: every row of the file would load, its names spoilt. So each one is asked whether
the words that it makes of the bytes look like words: letters that its own languages use, one script, no capital after a
small letter, no quotation mark inside.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Final

MAX_SAMPLE_BYTES: Final = 65_536
"""Bytes of undecodable lines that are looked at: names enough, in a twentieth of a second."""
LEAST_SHARE: Final = 0.8
"""Of the words beyond ASCII, how many must look like words; the others may be slips, or bytes of another origin."""

_LATIN: Final = "LATIN"
_WESTERN: Final = "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœßªº"
_CENTRAL: Final = "áäâăąćčçďđéěęëíîĺľłńňóôöőŕřśşšťţúůűüýźžż"
_TURKISH: Final = "çğıİöşüâîû"

_APOSTROPHE: Final = "\u2019"
_OPENING: Final = f"{_APOSTROPHE}\u2018\u201a\u201c\u201e\u00ab"
_CLOSING: Final = f"{_APOSTROPHE}\u201d\u00bb\u2026\u2122\u00ae"
_BETWEEN: Final = "\u2013\u2014\u2022\u20ac\u00a3\u00a0\u00b0\u00a7\u00b7"
"""Signs that stand before, after and between words; anywhere else they are letters of another code page."""
_WORD: Final = re.compile(rf"(?:[^\W\d_]|[^\x00-\x7f{_BETWEEN}])+")


@dataclass(frozen=True, slots=True)
class _CodePage:
    """A code page, the scripts for which it is used, and the letters beyond ASCII of its languages; any if empty."""

    name: str
    scripts: frozenset[str]
    letters: frozenset[str] = frozenset()


def _latin(name: str, letters: str) -> _CodePage:
    return _CodePage(name, frozenset({_LATIN}), frozenset(letters + letters.upper()))


_ALPHABETS: Final = (
    _latin("cp1252", _WESTERN),
    _latin("cp1254", _TURKISH),
    _latin("cp1252", _WESTERN + "ðþ"),  # Icelandic, which has the Turkish letters' bytes
    _latin("cp1250", _CENTRAL),
    _CodePage("cp1251", frozenset({"CYRILLIC"})),
    _CodePage("cp1253", frozenset({"GREEK"})),
    _latin("cp850", _WESTERN),
    _latin("mac-roman", _WESTERN),
    _latin("iso8859-2", _CENTRAL),
    _latin("cp852", _CENTRAL),
    _CodePage("cp866", frozenset({"CYRILLIC"})),
    _CodePage("koi8-r", frozenset({"CYRILLIC"})),
)
"""The usual one first: it is named where several read as well."""
_SYLLABLES: Final = (
    _CodePage("cp932", frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})),
    _CodePage("cp949", frozenset({"HANGUL"})),
    _CodePage("gb18030", frozenset({"CJK"})),
    _CodePage("big5", frozenset({"CJK"})),
)
"""Asked last: nearly any two bytes are a sign in one of them."""


def likely_encoding(sample: bytes) -> str | None:
    """The code page under which the bytes read best; None if they read well under none."""
    # where the sample was cut, the last line may end inside a letter
    whole = sample[: sample.rfind(b"\n")] if len(sample) >= MAX_SAMPLE_BYTES else sample
    for pages in (_ALPHABETS, _SYLLABLES):
        share, name = max(((_readable_share(whole, page), page.name) for page in pages), key=lambda found: found[0])
        if share >= LEAST_SHARE:
            return name
    return None


def _readable_share(sample: bytes, page: _CodePage) -> float:
    """Of the words beyond ASCII, those that look like words (0 to 1)."""
    try:
        text = sample.decode(page.name)
    except UnicodeDecodeError:
        return 0.0
    words = Counter(word for word in _WORD.findall(text) if not word.isascii())
    readable = {word: count for word, count in words.items() if _is_readable(word, page)}
    characters = sum(len(word) * count for word, count in readable.items())
    plain = sum(sum(map(str.isascii, word)) * count for word, count in readable.items())
    # what another script looks like as Latin has hardly a plain letter
    if not readable or (_LATIN in page.scripts and 2 * plain < characters):
        return 0.0
    return sum(readable.values()) / words.total()


def _is_readable(word: str, page: _CodePage) -> bool:
    bare = word[word[0] in _OPENING : len(word) - (word[-1] in _CLOSING)]
    return all(_is_name(part, page) for part in bare.split(_APOSTROPHE) if part)


def _is_name(part: str, page: _CodePage) -> bool:
    """Whether the letters can stand beside each other, as they do in names."""
    if part not in {part.lower(), part.upper(), part[0].upper() + part[1:].lower()}:
        return False
    if _LATIN not in page.scripts and (part[0].islower() or not part.isalpha() or "ς" in part[:-1]):
        return False
    if page.letters:
        return all(character.isascii() or character in page.letters for character in part)
    return all(unicodedata.name(character, "").split(" ")[0] in page.scripts for character in part)
