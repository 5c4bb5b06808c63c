"""Worker processes that apply one function to many values, whose results come in the order of the values."""

import gc
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from prmkit.errors import PrmkitError, RunError
from prmkit.run.children import module_command, module_environment

Value = TypeVar("Value")
Reply = TypeVar("Reply")


class Workers(Generic[Value, Reply]):
    """Processes that end with the block.

    Args:
        function: sent to each of them once, as a pickle, as are values and replies: all of them are ours.
        count: how many.
    """

    def __init__(self, function: Callable[[Value], Reply], count: int) -> None:
        self._function, self._count = function, count

    def __enter__(self) -> "Workers[Value, Reply]":
        self._threads = ThreadPoolExecutor(self._count)
        self._all: list[_Worker] = []
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        try:
            for _ in range(self._count):
                self._all.append(_Worker())
            for started in [self._threads.submit(worker.learn, self._function) for worker in self._all]:
                started.result()
        except BaseException:  # Ctrl-C too: they take seconds to start
            self.__exit__()
            raise
        for worker in self._all:
            self._idle.put(worker)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.end()
        self._threads.shutdown(cancel_futures=True)

    def in_order(self, values: Iterable[Value]) -> Iterator[tuple[Value, Reply]]:
        """Each value with its reply. Not many values are taken before their turn.

        Raises:
            PrmkitError: what the function raised; RunError where a process died.
        """
        waiting: deque[tuple[Value, Future[Reply]]] = deque()
        for value in values:
            waiting.append((value, self._threads.submit(self._reply, value)))
            if len(waiting) > 2 * self._count:
                first, reply = waiting.popleft()
                yield first, reply.result()
        for value, reply in waiting:
            yield value, reply.result()

    def _reply(self, value: Value) -> Reply:
        worker = self._idle.get()
        try:
            reply: Reply = worker.ask(value)
        finally:
            self._idle.put(worker)  # a dead one too: who gets it hears so
        return reply


class _Worker:
    """One process, at the other end of a pipe."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        self._process = subprocess.Popen(
            module_command("prmkit.prepare.workers", str(theirs.fileno())),
            env=module_environment(TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1"),
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def learn(self, function: Callable[[Any], Any]) -> None:
        """Send the function."""
        self.ask(function)

    def ask(self, value: Any) -> Any:
        """Send a value, and wait for the reply."""
        try:
            self._pipe.send(value)
            reply = self._pipe.recv()
        except (EOFError, OSError):
            code = self._process.wait()
            raise RunError(f"a worker process died (exit code {code}); is there enough memory?") from None
        if isinstance(reply, _Failure):
            raise reply.error
        return reply

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()


def _serve(pipe: Connection) -> None:
    """The worker's side: a function, then its arguments, until the pipe is closed."""
    function = None
    while True:
        try:
            value = pipe.recv()
        except EOFError:
            return
        try:
            reply = function(value) if function is not None else None
            function = function or value
        except Exception as error:  # whatever it is, it is the parent's to tell
            reply = _Failure(error)
        try:
            pipe.send(reply)
        except BrokenPipeError:  # whoever asked was killed
            return


class _Failure:
    """What the function raised, and where."""

    def __init__(self, error: Exception) -> None:
        self.error = error if isinstance(error, PrmkitError) else RuntimeError(traceback.format_exc())


if __name__ == "__main__":
    from prmkit.prepare.workers import _serve as serve  # not this module's own: _Failure is to be known by its name

    gc.set_threshold(200_000)  # its default costs a third of the work, on values that are not in cycles
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started us decides
    serve(Connection(int(sys.argv[1])))
