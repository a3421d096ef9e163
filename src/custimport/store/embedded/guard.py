"""The guard: starts mongod, and stops it when nobody has used it for a while.

A process of its own that needs the standard library only, called as `python -I -S guard.py IDLE_SECONDS ROOT MONGOD
ARGUMENT...`. mongod gets SIGTERM when the guard dies (Linux), and the guard ends when mongod does.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

LOOK_EVERY_SECONDS = 0.25
PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def die_with_parent() -> None:
    """In the child: SIGTERM when the guard ends, however it ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    """Runs until mongod ends, as nobody's child: who started it does not have to wait for it."""
    if os.fork():
        return
    idle_seconds, root, command = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
    failure = os.path.join(root, "failure.json")
    keep = os.path.join(root, "keep")
    with open(os.path.join(root, "mongod.stderr"), "w+", encoding="utf-8", errors="replace") as words:
        try:
            mongod = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=words,
                preexec_fn=die_with_parent,
                cwd=root,
            )
        except OSError as error:
            report(failure, {"errno": error.errno, "strerror": error.strerror})
            return
        signal.signal(signal.SIGTERM, lambda *_: mongod.terminate())
        watch(mongod, os.path.join(root, "clients.lock"), keep, idle_seconds)
        returncode = mongod.wait()
        words.seek(0)
        report(failure, {"returncode": returncode, "words": words.read(4096)})


def report(path: str, document: dict[str, object]) -> None:
    """Leave word for whoever waits for the start; whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump(document, stream)
    os.replace(path + ".new", path)


def watch(mongod: subprocess.Popen[bytes], clients_lock: str, keep: str, idle_seconds: float) -> None:
    """Returns when mongod ends, or after telling it to because nobody held the lock for the idle time."""
    free_since = None
    with open(clients_lock, "a") as lock:
        while mongod.poll() is None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                free_since = None
            else:
                now = time.monotonic()
                # whoever came and went since the last look counts as a user up to now
                last_used = os.stat(clients_lock).st_mtime
                free_since = free_since if free_since is not None else now
                idle = min(now - free_since, max(time.time() - last_used, 0))
                if idle >= idle_seconds and not os.path.exists(keep):
                    # the lock stays ours until mongod is gone: a newcomer waits for that and starts a new one
                    mongod.terminate()
                    mongod.wait()
                    return
                fcntl.flock(lock, fcntl.LOCK_UN)
            time.sleep(min(LOOK_EVERY_SECONDS, max(idle_seconds, 0.05)))


if __name__ == "__main__":
    main()
