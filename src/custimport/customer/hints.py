"""What a refused value was probably meant to be. Only said, never done; nothing is looked up for valid values.

A spelling is near a name if one letter too many, too few, wrong, or two exchanged are all that is between them: both
then have a shortening by one letter in common, so that a look-up takes microseconds even when every row is bad.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

LONGEST_LOOKED_UP: Final = 64

MAIL_DOMAINS: Final = (
    *("gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com", "icloud.com", "aol.com"),
    *("msn.com", "gmx.de", "gmx.net", "web.de", "t-online.de", "orange.fr", "free.fr", "yahoo.co.uk", "hotmail.co.uk"),
    *("btinternet.com", "libero.it", "mail.ru", "yandex.ru", "protonmail.com"),
)
"""Large providers of mail for private people."""
ABBREVIATIONS: Final = {
    **dict.fromkeys(("pst", "pdt", "pt"), "America/Los_Angeles"),
    **dict.fromkeys(("mdt", "mt"), "America/Denver"),
    **dict.fromkeys(("cdt", "ct"), "America/Chicago"),
    **dict.fromkeys(("edt", "et"), "America/New_York"),
    **dict.fromkeys(("akst", "akdt"), "America/Anchorage"),
    "cest": "CET",
    "eest": "EET",
    "west": "WET",
    "mez": "CET",
    "mesz": "CET",
    "jst": "Asia/Tokyo",
    "kst": "Asia/Seoul",
    "hkt": "Asia/Hong_Kong",
    **dict.fromkeys(("aest", "aedt"), "Australia/Sydney"),
    **dict.fromkeys(("nzst", "nzdt"), "Pacific/Auckland"),
    "brt": "America/Sao_Paulo",
    "msk": "Europe/Moscow",
    "sast": "Africa/Johannesburg",
    "z": "Etc/UTC",
}
"""Abbreviations that mean one zone, or nearly always do; `IST`, `BST` and `CST` mean several."""
_OFFSET: Final = re.compile(r"(?:utc|gmt)? ?([+-])(?:0?)([0-9]|1[0-4])(?::?00)?")
_DISPLAY_NAME: Final = re.compile(r"[^<>]*<\s*([^<>\s@]+@[^<>\s@]+)\s*>")


def meant_timezone(text: str, names: frozenset[str]) -> str | None:
    """The one of `names` for which `text` probably stands; None if none is near.

    It may be a Windows zone, an abbreviation, a whole number of hours, written in another case, or have a slip.
    """
    spelling = text.strip().lower()
    if not spelling or len(spelling) > LONGEST_LOOKED_UP:
        return None
    for meant in (_windows_zones().get(spelling), ABBREVIATIONS.get(spelling), _whole_hours(spelling)):
        if meant in names:
            return meant
    return _nearest(spelling.replace(" ", "_"), _shortened_zones(names))


def _whole_hours(spelling: str) -> str | None:
    """`utc+2`, `+02:00`: the zone that has this offset all year. Its name has the sign the other way round."""
    found = _OFFSET.fullmatch(spelling)
    if found is None:
        return None
    hours = int(found.group(2))
    return f"Etc/GMT{'-' if found.group(1) == '+' else '+'}{hours}" if hours else "Etc/UTC"


def meant_email(text: str) -> str | None:
    """The address for which `text`, which is none, probably stands: without its display name, at a large provider.

    It need not be a valid address. None if nothing is near.
    """
    address = text.strip()
    if len(address) > 4 * LONGEST_LOOKED_UP:
        return None
    named = _DISPLAY_NAME.fullmatch(address)
    bare = named.group(1) if named else address
    local_part, at_sign, domain = bare.partition("@")
    provider = _nearest(domain.lower(), _shortened_providers()) if local_part and at_sign else None
    if provider and provider != domain.lower():
        return f"{local_part}@{provider}"
    return bare if named else None


@cache
def _windows_zones() -> Mapping[str, str]:
    """Time zones as Windows calls them, in lower case, each with its IANA name (Unicode CLDR, windowsZones, 001)."""
    lines = files("custimport.customer").joinpath("windows_zones.tsv").read_text(encoding="utf-8").splitlines()
    return {windows.lower(): iana for windows, iana in (line.split("\t") for line in lines)}


@cache
def _shortened_zones(names: frozenset[str]) -> Mapping[str, str | None]:
    return _shortened(names)


@cache
def _shortened_providers() -> Mapping[str, str | None]:
    return _shortened(MAIL_DOMAINS)


def _shortened(names: Iterable[str]) -> dict[str, str | None]:
    """Every name and every shortening of one by a letter, in lower case; None where several names are as near."""
    table: dict[str, str | None] = {}
    for name in names:
        for short in set(_without_one_letter(name.lower())):
            table[short] = name if short not in table else None
    return table | {name.lower(): name for name in names}


def _nearest(spelling: str, table: Mapping[str, str | None]) -> str | None:
    if len(spelling) > LONGEST_LOOKED_UP:
        return None
    if spelling in table:
        return table[spelling]
    found = {table[short] for short in _without_one_letter(spelling) if short in table}
    return found.pop() if len(found) == 1 else None


def _without_one_letter(text: str) -> Iterator[str]:
    return (text[:at] + text[at + 1 :] for at in range(len(text)))
