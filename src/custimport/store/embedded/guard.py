"""The guard: starts mongod, and stops it when nobody has used it for a while.

A process of its own that needs the standard library only, called as
`python -I -S guard.py IDLE_SECONDS ROOT SOCKET TELL_FD LOCK_FD MONGOD ARGUMENT...`.
mongod gets SIGTERM when the guard dies (Linux), and the guard ends when mongod does. LOCK_FD carries the lock on
the data folder: guard and mongod both hold it, so it is free exactly when both are gone.
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
LOOK_WHILE_STARTING_SECONDS = 0.02
"""Short, so that the socket is seen before anybody can have removed it."""
LONGEST_STOP_SECONDS = 30
"""A mongod that hangs longer is killed: newcomers wait for it, and what it acknowledged is in its journal."""
PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def main() -> None:
    """Runs until mongod ends, as nobody's child: who started it does not have to wait for it.

    One JSON document on TELL_FD says why mongod ended; whoever waits for the start reads it.
    """
    if os.fork():
        return
    idle_seconds, root, socket_path = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    tell, lock, command = int(sys.argv[4]), int(sys.argv[5]), sys.argv[6:]
    guard = os.getpid()

    def die_with_guard() -> None:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != guard:
            # it was killed before the request was made
            os._exit(1)

    with open(os.path.join(root, "mongod.stderr"), "w+", encoding="utf-8", errors="replace") as words:
        try:
            mongod = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=words,
                preexec_fn=die_with_guard,
                pass_fds=(lock,),
                cwd=root,
            )
        except OSError as error:
            report(tell, {"errno": error.errno, "strerror": error.strerror})
            return
        signal.signal(signal.SIGTERM, lambda *_: mongod.terminate())
        watch(mongod, root, socket_path, idle_seconds)
        returncode = end(mongod)
        words.seek(0)
        report(tell, {"returncode": returncode, "words": words.read(4096)})


def report(tell: int, document: dict[str, object]) -> None:
    """Say why mongod ended; nobody listens any more once it had started."""
    with contextlib.suppress(OSError):
        os.write(tell, json.dumps(document).encode())


def end(mongod: subprocess.Popen[bytes]) -> int:
    """Its exit code, after asking it to stop if it runs, and killing it if it does not."""
    if mongod.poll() is None:
        mongod.terminate()
    try:
        return mongod.wait(LONGEST_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        mongod.kill()
        return mongod.wait()


def watch(mongod: subprocess.Popen[bytes], root: str, socket_path: str, idle_seconds: float) -> None:
    """Returns when mongod ends or is to end, because nobody could or did use it for the idle time."""
    keep = os.path.join(root, "keep")
    clients_lock = os.path.join(root, "clients.lock")
    used = os.stat(clients_lock).st_mtime_ns
    free_since = time.monotonic()
    reachable = False
    with open(clients_lock, "a") as lock:
        while mongod.poll() is None:
            if reachable and not os.path.exists(socket_path):
                # swept away, by a cleaner of /tmp for instance: nobody can reach it, and its folder is locked
                return
            reachable = reachable or os.path.exists(socket_path)
            now = time.monotonic()
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                free_since = now
            else:
                # each user touches the file on leaving: some come and go between two looks
                last_used = os.stat(clients_lock).st_mtime_ns
                if last_used != used:
                    used, free_since = last_used, now
                if now - free_since >= idle_seconds and not os.path.exists(keep):
                    # the lock stays ours until mongod is gone: a newcomer waits for that and starts a new one
                    end(mongod)
                    return
                fcntl.flock(lock, fcntl.LOCK_UN)
            look_again = LOOK_EVERY_SECONDS if reachable else LOOK_WHILE_STARTING_SECONDS
            time.sleep(min(look_again, max(idle_seconds, 0.05)))


if __name__ == "__main__":
    main()
