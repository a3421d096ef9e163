"""TLS that can never work as it is set, told apart from a server that is away: waiting does not help there."""

import re
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from pymongo import MongoClient

from custimport.errors import DatabaseRefused

PROBE_SECONDS: Final = 2.0
"""The server answered a moment ago: a handshake with it takes less."""

_NOT_VERIFIED: Final = re.compile(r"certificate verify failed: (.+?)\.? \(_ssl")
_CLOSED: Final = "connection closed"


def tls_refusal(client: MongoClient[Any], target_description: str, *, with_tls: bool) -> DatabaseRefused | None:
    """The error for TLS settings of which every server that the client knows says that they are wrong, else None.

    Looks at what the servers last said; opens a connection only to one that closed ours when we came without TLS.
    """
    servers = client.topology_description.server_descriptions()
    errors = [str(server.error) if server.error else "" for server in servers.values()]
    if not errors:
        return None
    refusal = None
    if all(map(_NOT_VERIFIED.search, errors)):
        refusal = _not_verified(errors[0])
    elif not with_tls and all(_CLOSED in error for error in errors) and _speaks_tls(servers):
        refusal = (
            "the server wants TLS",
            "add tls=true to the options of the URI, and tlsCAFile=FILE where its authority is not known",
        )
    if refusal is None:
        return None
    words, hint = refusal
    return DatabaseRefused(f"{target_description}: {words}", hint=hint)


def hint_for_silence(error: str) -> str:
    """What may be wrong where no server gives an answer, by the words of the last error."""
    if _CLOSED in error:
        return "is the server just starting, or does it want a client certificate (tlsCertificateKeyFile in the URI)?"
    if "SSL" in error:
        return "does the server speak TLS? If it does not, leave tls=true out of the URI"
    return "is the server running, and the address right?"


def _not_verified(error: str) -> tuple[str, str]:
    found = _NOT_VERIFIED.search(error)
    reason = found[1] if found else error
    if "mismatch" in reason:
        return (
            f"the server's certificate is for another host: {reason}",
            "name the server in the URI as its certificate does",
        )
    return (
        f"the server's certificate is not trusted: {reason}",
        "tlsCAFile=FILE in the URI names the certificate of the authority that signed it",
    )


def _speaks_tls(addresses: Iterable[tuple[str, int | None]]) -> bool:
    """Whether a TLS handshake with one of the servers succeeds; nothing is sent to it, so nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for host, port in addresses:
        # without a port it is a unix socket
        if port is not None:
            with (
                suppress(OSError),
                socket.create_connection((host, port), PROBE_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=host),
            ):
                return True
    return False
