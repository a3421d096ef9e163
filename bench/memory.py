"""The memory of a command and all the processes that it starts, from /proc."""

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

SAMPLE_SECONDS = 0.02
KIBIBYTES_A_MEGABYTE = 1024


def peak_megabytes(command: Sequence[str], folder: str) -> tuple[float, int, str]:
    """The sum of the peaks of the command and its descendants, its exit code, and what it said on standard error.

    A peak is the kernel's own (`VmHWM`): a sample can miss a process that lives shorter than 20 ms, never a peak. Of a
    forked copy of the command only that counts which it does not share with the command, as far as the samples show.
    """
    peaks: dict[int, int] = {}
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            arguments = _text(Path(f"/proc/{process.pid}/cmdline"))
            for process_id in _session(process.pid):
                is_copy = process_id != process.pid and _text(Path(f"/proc/{process_id}/cmdline")) == arguments
                measured = _private_kibibytes(process_id) if is_copy else _peak_kibibytes(process_id)
                peaks[process_id] = max(peaks.get(process_id, 0), measured)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, messages = process.communicate()
    ended.set()
    watcher.join()
    return sum(peaks.values()) / KIBIBYTES_A_MEGABYTE, process.returncode, messages


def _session(leader: int) -> list[int]:
    """The processes of the session that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        # the name, in parentheses, may hold anything; behind it: state, parent, group, session
        fields = _text(path).rpartition(")")[2].split()
        if fields and int(fields[3]) == leader:
            found.append(int(path.parent.name))
    return found


def _peak_kibibytes(process_id: int) -> int:
    for line in _text(Path(f"/proc/{process_id}/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def _private_kibibytes(process_id: int) -> int:
    lines = _text(Path(f"/proc/{process_id}/smaps_rollup")).splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))


def _text(path: Path) -> str:
    """The file's text, or none if the process has ended meanwhile."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""
