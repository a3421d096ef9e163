"""E-mail addresses: email-validator is the judge, and a short cut gives its verdict on plain ones."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import repeat
from operator import add, gt, itemgetter
from typing import Final, cast

from custimport.customer.codes import Code, RowError
from custimport.customer.hints import meant_email
from custimport.customer.wording import quoted

FIELD: Final = "email"

LONGEST_ADDRESS_BYTES: Final = 254
"""RFC 5321 4.5.3.1.3 with errata 1690: email-validator refuses every address that is longer as it was written."""

PLAIN_LOCAL_PART: Final = re.compile(r"[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+(?:\.[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+)*")
"""The dot-atom of RFC 5322 3.2.3: email-validator takes it as it is, whatever the domain."""
_ODD: Final = b"!"


def _simplified(character: str) -> bytes:
    if character in ".\n":
        return b"."
    return b"a" if PLAIN_LOCAL_PART.fullmatch(character) else _ODD


_SIMPLIFIED: Final = b"".join(map(_simplified, map(chr, range(256))))
"""Maps line ends to dots, so that two dots stand wherever a local part begins or ends with one, is empty, or holds two
together; other bytes of local parts to one letter, and what they cannot hold to `_ODD`."""
_LONGEST_LOCAL_PART: Final = 64
MAX_CACHED_DOMAINS: Final = 20_000
"""Then the verdicts are forgotten: a file of nothing but distinct domains must not fill the memory (about 5 MB)."""


accepted_domains: Final[dict[str, tuple[str, int]]] = {}
"""For each domain that email-validator takes in `a@DOMAIN`: `@` and its stored form, and how long a local part may be
before it, so that the address keeps within 254 bytes as written, normalised, and in ASCII."""
_STAND_IN: Final = ("x", ("", _LONGEST_LOCAL_PART))
"""Takes the place of an address that is judged by itself."""
_refused_domains: Final[dict[str, str]] = {}
"""For each domain that it refuses there: why."""


def stored_email(text: str) -> str | RowError:
    """The customer's identity: NFC of the lower case of the normalised address; or why `text` is not one address."""
    trimmed = text.strip()
    if not trimmed:
        return RowError(Code.BLANK, FIELD, text, "the e-mail address is missing")
    # more characters than bytes allowed: certain, and cheap where the judge would need seconds
    if len(trimmed) > LONGEST_ADDRESS_BYTES:
        return _refused(text, f"it has {len(trimmed):,} characters, at most 254 are allowed")
    local_part, at_sign, domain = trimmed.partition("@")
    if not at_sign:
        # certain as well: whatever else is wrong, email-validator asks for one
        return _refused(text, "an e-mail address must have an @-sign")
    if len(local_part) > _LONGEST_LOCAL_PART or not PLAIN_LOCAL_PART.fullmatch(local_part):
        return _judged(text, trimmed)
    if domain not in accepted_domains and domain not in _refused_domains:
        _judge_domain(domain)
    reason = _refused_domains.get(domain)
    if reason is not None:
        return _refused(text, reason)
    stored_domain, longest_local_part = accepted_domains[domain]
    if len(local_part) > longest_local_part:
        return _judged(text, trimmed)
    return local_part.lower() + stored_domain


def stored_emails(texts: Sequence[str]) -> list[str | RowError]:
    """`stored_email` of every text; plain ones at domains that are known go through together, without a call each."""
    if not texts:
        return []
    local_parts, _, domains = map(list, zip(*map(str.partition, texts, repeat("@")), strict=True))
    accepted = list(map(accepted_domains.get, domains))
    singly = [index for index, found in enumerate(accepted) if found is None] if None in accepted else []
    for index in singly:
        local_parts[index], accepted[index] = _STAND_IN
    known = cast("list[tuple[str, int]]", accepted)
    if not _all_plain(local_parts) or any(map(gt, map(len, local_parts), map(itemgetter(1), known))):
        odd = [
            index
            for index, (local_part, (_, longest)) in enumerate(zip(local_parts, known, strict=True))
            if len(local_part) > longest or not PLAIN_LOCAL_PART.fullmatch(local_part)
        ]
        for index in odd:
            local_parts[index], known[index] = _STAND_IN
        singly += odd
    stored: list[str | RowError] = list(map(add, "\n".join(local_parts).lower().split("\n"), map(itemgetter(0), known)))
    for index in singly:
        stored[index] = stored_email(texts[index])
    return stored


def _all_plain(local_parts: Sequence[str]) -> bool:
    """Whether every one of them matches `PLAIN_LOCAL_PART`, judged on all of them together."""
    joined = "\n".join(["", *local_parts, ""])
    if not joined.isascii() or joined.count("\n") != len(local_parts) + 1:
        return False
    simplified = joined.encode().translate(_SIMPLIFIED)
    return _ODD not in simplified and b".." not in simplified


def judged_email(trimmed: str) -> str:
    """The stored form of an address by email-validator alone; raises its `EmailNotValidError`."""
    from email_validator import validate_email

    found = validate_email(trimmed, check_deliverability=False, strict=True, allow_display_name=False)
    return unicodedata.normalize("NFC", found.normalized.lower())


def _judged(text: str, trimmed: str) -> str | RowError:
    from email_validator import EmailNotValidError

    try:
        return judged_email(trimmed)
    except EmailNotValidError as error:
        return _refused(text, str(error))


def _judge_domain(domain: str) -> None:
    from email_validator import EmailNotValidError, validate_email

    for verdicts in (accepted_domains, _refused_domains):
        if len(verdicts) >= MAX_CACHED_DOMAINS:
            verdicts.clear()
    try:
        found = validate_email(f"a@{domain}", check_deliverability=False, strict=True, allow_display_name=False)
    except EmailNotValidError as error:
        _refused_domains[domain] = str(error)
        return
    stored = "@" + unicodedata.normalize("NFC", found.domain.lower())
    longest = max(len(form.encode()) for form in (domain, found.domain, found.ascii_domain or ""))
    accepted_domains[domain] = (stored, min(_LONGEST_LOCAL_PART, LONGEST_ADDRESS_BYTES - 1 - longest))


def _refused(text: str, reason: str) -> RowError:
    message = f"{quoted(text)} is not an e-mail address: {reason}"
    meant = meant_email(text)
    # nothing is suggested that would be refused as well
    is_usable = meant is not None and isinstance(stored_email(meant), str)
    return RowError(Code.EMAIL_INVALID, FIELD, text, message, hint=f"perhaps {meant}" if is_usable else None)
