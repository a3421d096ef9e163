"""A mongod for the benchmarks, run as the embedded server runs it, in a folder that is removed afterwards."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator

from custimport.store import embedded


@contextlib.contextmanager
def benchmark_server() -> Iterator[str]:
    """The URI of a fresh server."""
    folder = tempfile.mkdtemp(prefix="cb-")
    environment = {**os.environ, "CUSTIMPORT_DATA_DIR": folder, "CUSTIMPORT_EMBEDDED_IDLE_SECONDS": "5"}
    try:
        with embedded.embedded_server(environment) as uri:
            yield uri
        embedded.stop(environment, force=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
