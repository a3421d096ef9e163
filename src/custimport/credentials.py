"""Secrets in MongoDB URIs, and text without them. The standard library only: it is needed before anything else."""

import re
from typing import Final

MASK: Final = "***"
EXAMPLE: Final = "mongodb://USER:PASSWORD@HOST:27017/DATABASE"
"""What a URI looks like; its password is none."""

_URI: Final = re.compile(r"mongodb(?:\+srv)?://\S+", re.IGNORECASE)


def masked_uri(uri: str) -> str:
    """The URI with `***` for its password and for every option that holds a secret.

    Also of what is no URI because its password is not percent-encoded: all up to the last `@` is taken for credentials.
    """
    scheme, separator, rest = uri.partition("://")
    credentials, at_sign, place_and_options = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    place, question_mark, options = place_and_options.partition("?")
    shown = "&".join(map(_masked_option, options.split("&")))
    return f"{scheme}{separator}{user}{f':{MASK}' if colon else ''}{at_sign}{place}{question_mark}{shown}"


def holds_secret(uri: str) -> bool:
    """Whether the URI has a password, or an option that holds a secret."""
    return masked_uri(uri) != uri


def without_credentials(text: str) -> str:
    """The text, every MongoDB URI in it masked, but for the example."""
    if "://" not in text:
        return text
    return _URI.sub(lambda found: found[0] if found[0].startswith(EXAMPLE) else masked_uri(found[0]), text)


def _masked_option(option: str) -> str:
    name, equals, value = option.partition("=")
    secret = "password" in name.lower() or name.lower() == "authmechanismproperties"
    return f"{name}{equals}{MASK if secret else value}"
