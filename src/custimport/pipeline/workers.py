"""Processes that do a part of the work: bytes in, bytes out, answers in the order of the questions.

They are forked before the program has threads, hold nothing that another process needs, and end by themselves when the
program does. What a worker that died was asked is told as unanswered: whoever asked does it then.
"""

import gc
import os
import pickle
import queue
import signal
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fcntl import fcntl
from struct import Struct
from typing import Any, Final

from custimport.settings import COLLECT_AFTER_OBJECTS

Answer = Callable[[bytes], bytes]
"""What a worker does with a question."""
Prepare = Callable[[Any], Answer]
"""Makes it ready for the questions about one file; a function of a module."""

QUESTIONS_AHEAD: Final = 3
"""Questions that a worker may have been asked and not answered: one that it works on, and the next ones."""
PIPE_BYTES: Final = 1024 * 1024
"""As much as an unprivileged process may ask for (pipe(7)): fewer switches between the processes."""
_F_SETPIPE_SZ: Final = 1031
_FRAME: Final = Struct("<qb")
_PREPARE, _QUESTION = 0, 1


@dataclass(slots=True)
class _Worker:
    """One process: where it is asked, where it answers, and how many answers are to come."""

    process: int
    asking: int
    answering: int
    unanswered: int = 0
    is_alive: bool = True


@dataclass(frozen=True, slots=True)
class Ticket:
    """A question that was asked; the answer is fetched with it, once, in the order of asking."""

    worker: int


@dataclass(slots=True)
class WorkerPool:
    """Some workers that take turns; none for a pool that does nothing."""

    _workers: list[_Worker] = field(default_factory=list)
    _turn: int = 0
    _tickets: deque[Ticket] = field(default_factory=deque)

    @property
    def can_ask(self) -> bool:
        """Whether a worker lives that has time for another question."""
        return any(worker.is_alive and worker.unanswered < QUESTIONS_AHEAD for worker in self._workers)

    @property
    def is_working(self) -> bool:
        """Whether a worker lives."""
        return any(worker.is_alive for worker in self._workers)

    def prepare(self, prepare: Prepare, what: Any) -> None:
        """Make every worker ready for a file; answers that nobody fetched are passed over."""
        while self._tickets:
            self.answer(self._tickets[0])
        message = pickle.dumps((prepare, what))
        for worker in self._workers:
            _send(worker, _PREPARE, message)

    def ask(self, question: bytes) -> Ticket:
        """Give the question to the next worker that has time; there must be one."""
        while True:
            at = self._turn % len(self._workers)
            worker = self._workers[at]
            self._turn += 1
            if worker.is_alive and worker.unanswered < QUESTIONS_AHEAD:
                break
        worker.unanswered += 1
        _send(worker, _QUESTION, question)
        ticket = Ticket(at)
        self._tickets.append(ticket)
        return ticket

    def answer(self, ticket: Ticket) -> bytes | None:
        """The answer to the oldest question, whose ticket it must be; None if the worker died. Waits for it."""
        if self._tickets.popleft() is not ticket:
            raise AssertionError("answers are fetched in the order of the questions")
        worker = self._workers[ticket.worker]
        worker.unanswered -= 1
        answer = _received(worker.answering) if worker.is_alive else None
        if answer is None:
            worker.is_alive = False
            return None
        return answer[1]

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            os.close(worker.asking)
            os.close(worker.answering)
        for worker in self._workers:
            with suppress(ChildProcessError):
                os.waitpid(worker.process, 0)
        self._workers.clear()
        self._tickets.clear()


@contextmanager
def worker_pool(count: int) -> Iterator[WorkerPool]:
    """A pool of `count` processes, 0 for none; they end with the context, or with this process however it ends."""
    workers: list[_Worker] = []
    pool = WorkerPool(workers)
    try:
        for _ in range(count):
            workers.append(_forked([descriptor for other in workers for descriptor in (other.asking, other.answering)]))
        yield pool
    finally:
        pool.close()


def _forked(others: list[int]) -> _Worker:
    """A new process that answers until nobody can ask any more; `others` are descriptors that are not its business."""
    question_end, asking = os.pipe()
    answering, answer_end = os.pipe()
    for descriptor in (asking, answer_end):
        with suppress(OSError):
            fcntl(descriptor, _F_SETPIPE_SZ, PIPE_BYTES)
    # a signal that arrives now is for the program, not for its copy
    stopping = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
    with warnings.catch_warnings():
        # Python warns of a fork where there are threads; a worker takes no lock that one of them could hold
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        try:
            for number in stopping:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            for descriptor in (asking, answering, *others):
                os.close(descriptor)
            # the collector need not walk over all that the program has imported
            gc.freeze()
            gc.set_threshold(COLLECT_AFTER_OBJECTS)
            _answer_all(question_end, answer_end)
        except BaseException:  # noqa: BLE001 - a bug, to be seen; who asked does the work and meets it too
            traceback.print_exc()
        finally:
            # nothing of the program's own is to be flushed or cleaned up twice
            os._exit(0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(question_end)
    os.close(answer_end)
    return _Worker(process, asking, answering)


def _answer_all(question_end: int, answer_end: int) -> None:
    """Answers every question; reading and writing have threads of their own, so that neither side waits for good."""
    questions: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        while (frame := _received(question_end)) is not None:
            questions.put(frame)
        questions.put(None)

    def write() -> None:
        while True:
            try:
                _write(answer_end, _QUESTION, answers.get())
            except OSError:
                os._exit(0)

    for target in (read, write):
        threading.Thread(target=target, daemon=True).start()
    answer: Answer = bytes
    while (frame := questions.get()) is not None:
        kind, message = frame
        if kind == _PREPARE:
            prepare, what = pickle.loads(message)  # noqa: S301 - written by the process that forked this one
            answer = prepare(what)
        else:
            answers.put(answer(message))


def _send(worker: _Worker, kind: int, message: bytes) -> None:
    if worker.is_alive:
        try:
            _write(worker.asking, kind, message)
        except OSError:
            worker.is_alive = False


def _write(descriptor: int, kind: int, message: bytes) -> None:
    remaining = memoryview(_FRAME.pack(len(message), kind) + message)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def _received(descriptor: int) -> tuple[int, bytes] | None:
    """The next frame: its kind and its message; None when the other side has gone."""
    head = _read(descriptor, _FRAME.size)
    if head is None:
        return None
    size_bytes, kind = _FRAME.unpack(head)
    message = _read(descriptor, size_bytes)
    return None if message is None else (kind, message)


def _read(descriptor: int, size_bytes: int) -> bytes | None:
    parts = []
    while size_bytes:
        part = os.read(descriptor, size_bytes)
        if not part:
            return None
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)
