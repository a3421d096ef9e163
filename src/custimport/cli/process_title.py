"""What others see of this process in `ps`: its arguments, without the passwords in them."""

import os
import sys
from pathlib import Path
from typing import Final

from custimport.credentials import holds_secret, masked_uri

PROCESS: Final = Path("/proc/self")
ARGUMENTS_START_FIELD, ARGUMENTS_END_FIELD = 48, 49
"""Fields of /proc/PID/stat (proc(5)), 1-based: where in memory the arguments lie."""


def hide_credentials(process: Path = PROCESS) -> None:
    """Overwrite the passwords among this process's arguments where the kernel reads them; children inherit that.

    `sys.argv` keeps them. Where it cannot be done a warning says so. Arguments without a password are left alone.
    """
    if not any("://" in argument and holds_secret(argument) for argument in sys.argv):
        return
    try:
        # the fields are counted from behind the program's name, which may hold spaces and brackets
        fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
        first, end = (int(fields[field - 3]) for field in (ARGUMENTS_START_FIELD, ARGUMENTS_END_FIELD))
        with (process / "mem").open("r+b", buffering=0) as memory:
            memory.seek(first)
            arguments = memory.read(end - first)
            memory.seek(first)
            memory.write(hidden(arguments))
    except (OSError, ValueError, IndexError) as error:
        sys.stderr.write(
            f"warning: the password in the arguments can be seen by others, with ps for instance ({error})\n"
            "  name the server with CUSTIMPORT_MONGODB_URI or a file instead\n"
        )


def hidden(arguments: bytes) -> bytes:
    """As many bytes: the arguments, each ended by NUL, without passwords, and NULs for what that saves."""
    shown = b"\0".join(
        os.fsencode(masked_uri(os.fsdecode(argument))) if b"://" in argument else argument
        for argument in arguments.split(b"\0")
    )
    # the last byte stays NUL: else the kernel takes what follows, the environment, for a part of the arguments
    return shown[: len(arguments) - 1].ljust(len(arguments), b"\0")
