"""The program on a terminal of its own."""

import json
import os
import pty
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

RUN_ALL = """
import json, sys
from custimport.cli.app import app
for number, words in enumerate(json.load(open("commands.json"))):
    print(f"\\n$ command {number}", flush=True)
    try:
        app(words, prog_name="custimport")
    except SystemExit as ended:
        print(f"exit {ended.code}", flush=True)
"""


def on_a_terminal(commands: Sequence[Sequence[str]], uri: str, columns: int, **variables: str) -> str:
    """What the commands, one after the other in one process, show on a terminal; every question is answered with no."""
    Path("commands.json").write_text(json.dumps(commands))
    controller, terminal = pty.openpty()
    ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    with subprocess.Popen(
        [sys.executable, "-c", RUN_ALL],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment | {"TERM": "xterm-256color", "CUSTIMPORT_MONGODB_URI": uri} | variables,
    ) as process:
        os.close(terminal)
        os.write(controller, b"n\n" * 3)
        shown = b""
        # the other end is gone when the process is
        with suppress(OSError):
            while part := os.read(controller, 65_536):
                shown += part
        process.wait(20)
    os.close(controller)
    return shown.decode()
