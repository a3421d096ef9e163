"""E-mail addresses: email-validator is the judge, and a short cut gives its verdict on plain ones."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, validate_email

from custimport.customer.codes import Code, RowError
from custimport.customer.wording import quoted

FIELD: Final = "email"

LONGEST_ADDRESS_BYTES: Final = 254
"""RFC 5321 4.5.3.1.3 with errata 1690: email-validator refuses every address that is longer as it was written."""

_PLAIN_LOCAL_PART: Final = re.compile(r"[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+(?:\.[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+)*")
"""The dot-atom of RFC 5322 3.2.3: email-validator takes it as it is, whatever the domain."""
_LONGEST_LOCAL_PART: Final = 64
_MAX_CACHED_DOMAINS: Final = 20_000
"""Then the cache is emptied: a file of nothing but distinct domains must not fill the memory (about 5 MB)."""


@dataclass(frozen=True, slots=True)
class _DomainVerdict:
    """What email-validator says of `a@DOMAIN`: the stored form of the domain, or why it is refused.

    `longest_bytes` is the longest of the domain's three forms: as written, normalised, and in ASCII.
    """

    stored: str
    longest_bytes: int
    refusal: str


_domains: dict[str, _DomainVerdict] = {}


def stored_email(text: str) -> str | RowError:
    """The customer's identity: NFC of the lower case of the normalised address; or why `text` is not one address."""
    trimmed = text.strip()
    if not trimmed:
        return RowError(Code.BLANK, FIELD, text, "the e-mail address is missing")
    # more characters than bytes allowed: certain, and cheap where the judge would need seconds
    if len(trimmed) > LONGEST_ADDRESS_BYTES:
        return _refused(text, f"it has {len(trimmed):,} characters, at most 254 are allowed")
    local_part, at_sign, domain = trimmed.partition("@")
    if not at_sign or len(local_part) > _LONGEST_LOCAL_PART or not _PLAIN_LOCAL_PART.fullmatch(local_part):
        return _judged(text, trimmed)
    verdict = _domains.get(domain)
    if verdict is None:
        if len(_domains) >= _MAX_CACHED_DOMAINS:
            _domains.clear()
        verdict = _domains[domain] = _domain_verdict(domain)
    if verdict.refusal or len(local_part) + 1 + verdict.longest_bytes > LONGEST_ADDRESS_BYTES:
        return _judged(text, trimmed) if not verdict.refusal else _refused(text, verdict.refusal)
    return f"{local_part.lower()}@{verdict.stored}"


def judged_email(trimmed: str) -> str:
    """The stored form of an address by email-validator alone; raises `EmailNotValidError`."""
    found = validate_email(trimmed, check_deliverability=False, strict=True, allow_display_name=False)
    return unicodedata.normalize("NFC", found.normalized.lower())


def _judged(text: str, trimmed: str) -> str | RowError:
    try:
        return judged_email(trimmed)
    except EmailNotValidError as error:
        return _refused(text, str(error))


def _domain_verdict(domain: str) -> _DomainVerdict:
    try:
        found = validate_email(f"a@{domain}", check_deliverability=False, strict=True, allow_display_name=False)
    except EmailNotValidError as error:
        return _DomainVerdict("", 0, str(error))
    stored = unicodedata.normalize("NFC", found.domain.lower())
    longest = max(len(form.encode()) for form in (domain, found.domain, found.ascii_domain or ""))
    return _DomainVerdict(stored, longest, "")


def _refused(text: str, reason: str) -> RowError:
    return RowError(Code.EMAIL_INVALID, FIELD, text, f"{quoted(text)} is not an e-mail address: {reason}")
