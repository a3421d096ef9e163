"""Where the embedded server keeps its things: one folder for each major version, for its owner only."""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import quote_plus

from platformdirs import user_data_path

from custimport.errors import DatabaseUnavailable
from custimport.settings import ENVIRONMENT_DATA_FOLDER
from custimport.store.embedded.binary import data_version

FOLDER_PREFIX: Final = "mongo-"
"""Followed by the version: data files of a newer one cannot be opened (exit 62), so each has a folder of its own."""

LONGEST_SOCKET_PATH_BYTES: Final = 100
"""107 bytes work on Linux, 104 on macOS."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The files of one embedded server. `socket` may lie elsewhere if the folder's path is too long for one."""

    root: Path
    socket: Path

    @property
    def data(self) -> Path:
        """The database files."""
        return self.root / "db"

    @property
    def log(self) -> Path:
        """Mongod's log."""
        return self.root / "mongod.log"

    @property
    def clients_lock(self) -> Path:
        """Held shared by every process that uses the server."""
        return self.root / "clients.lock"

    @property
    def start_lock(self) -> Path:
        """Held by whoever starts the server."""
        return self.root / "start.lock"

    @property
    def keep(self) -> Path:
        """Exists while the server is to run on though nobody uses it (`db start`)."""
        return self.root / "keep"

    @property
    def server_lock(self) -> Path:
        """Held by guard and mongod as long as either lives."""
        return self.root / "server.lock"

    def data_of_other_versions(self) -> list[Path]:
        """Folders of other versions that hold data while this one holds none yet."""
        if (self.data / "WiredTiger").exists():
            return []
        found = self.root.parent.glob(f"{FOLDER_PREFIX}*/db/WiredTiger")
        return sorted(path.parent.parent for path in found)

    @property
    def uri(self) -> str:
        """For drivers and tools such as mongosh."""
        return f"mongodb://{quote_plus(str(self.socket))}/?directConnection=true"


def folders(environment: Mapping[str, str]) -> Folders:
    """The folders of this user's server, made if need be, readable by nobody else.

    Raises `DatabaseUnavailable` if they cannot be made or belong to somebody else.
    """
    configured = environment.get(ENVIRONMENT_DATA_FOLDER)
    base = Path(configured).expanduser() if configured else user_data_path("custimport")
    root = (base / (FOLDER_PREFIX + data_version(environment))).absolute()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.chmod(0o700)
        (root / "db").mkdir(mode=0o700, exist_ok=True)
        return Folders(root, _socket_path(root))
    except OSError as error:
        raise DatabaseUnavailable(
            f"the embedded MongoDB cannot use its folder {root}: {error.strerror or error}",
            hint=f"set {ENVIRONMENT_DATA_FOLDER} to a folder of yours, or use a server with --uri",
        ) from error


def lock_file(path: Path) -> TextIO:
    """The file, open and made if need be, for its owner only."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "a")


def _socket_path(root: Path) -> Path:
    """In the folder, or, where its path is too long or has characters that mongod or the driver misread, in /tmp.

    Not in XDG_RUNTIME_DIR: that is set at a desk and not under cron, and one folder must have one socket.
    """
    inside = root / "mongod.sock"
    text = str(inside)
    if len(os.fsencode(text)) <= LONGEST_SOCKET_PATH_BYTES and not set(text) & {",", ":"}:
        return inside
    parent = Path(f"/tmp/custimport-{os.getuid()}")  # noqa: S108 - its owner and mode are checked
    parent.mkdir(mode=0o700, exist_ok=True)
    status = parent.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{parent}, which its socket needs, is not a folder of this user alone")
    return parent / (hashlib.sha256(os.fsencode(root)).hexdigest()[:12] + ".sock")
