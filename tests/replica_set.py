"""A real replica set of three members for the tests of elections."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.mongod import MONGOD, free_port

MEMBERS = 3
ELECTION_TIMEOUT_MS = 1_000
"""A tenth of the default, so that an election takes two seconds."""


@dataclass
class ReplicaSet:
    """Three members on ports of this machine; a killed one finds its data again when it is started."""

    folder: Path
    ports: list[int]
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        members = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"mongodb://{members}/?replicaSet=tests"

    def start(self, port: int) -> None:
        (self.folder / str(port)).mkdir(exist_ok=True)
        self.processes[port] = subprocess.Popen(
            [
                *(str(MONGOD), "--dbpath", str(self.folder / str(port)), "--nounixsocket", "--port", str(port)),
                *("--bind_ip", "127.0.0.1", "--replSet", "tests", "--oplogSize", "64"),
                *("--logpath", str(self.folder / f"{port}.log"), "--logappend", "--quiet"),
                *("--wiredTigerCacheSizeGB", "0.25", "--noscripting"),
                *("--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=16MB)"),
                *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            if self.processes[port].poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / f"{port}.log").read_text()[-2000:])
            time.sleep(0.02)

    def initiate(self) -> None:
        members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(self.ports)]
        settings = {"electionTimeoutMillis": ELECTION_TIMEOUT_MS, "heartbeatIntervalMillis": 200}
        with MongoClient[Any](f"mongodb://127.0.0.1:{self.ports[0]}/?directConnection=true") as client:
            client.admin.command("replSetInitiate", {"_id": "tests", "members": members, "settings": settings})

    def kill_primary(self) -> int:
        """SIGKILL the member that is primary now, waiting until there is one; gives its port."""
        with MongoClient[Any](self.uri) as client:
            client.admin.command("ping")
            primary = client.primary
        assert primary is not None
        self.processes[primary[1]].kill()
        self.processes[primary[1]].wait()
        return int(primary[1])


@contextlib.contextmanager
def running_replica_set() -> Iterator[ReplicaSet]:
    """A fresh replica set with a primary."""
    members = ReplicaSet(Path(tempfile.mkdtemp(prefix="ci-", dir="/tmp")), [free_port() for _ in range(MEMBERS)])
    try:
        for port in members.ports:
            members.start(port)
        members.initiate()
        yield members
    finally:
        for process in members.processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(members.folder, ignore_errors=True)
