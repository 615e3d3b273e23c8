"""Starts one process a library and lets them measure in turn; knows nothing of what they measure.

All processes of a workload live at the same time, but only one of them works: in each round every
library gets one turn. A disturbance from outside that lasts a while therefore hits all of them, and
a turn during which somebody else used the processors is repeated.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import Disturbance, wait_for_calm

ROOT = Path(__file__).resolve().parent.parent


class WorkerError(Exception):
    """A process ended, took too long, or reported an error."""


class NotYetError(WorkerError):
    """The library can't do this workload yet."""


class Worker:
    """A process that answers commands.

    Parameters
    ----------
    python
        The interpreter.
    module
        What it imports and measures.
    variables
        Environment variables on top of this process's.
    timeout
        Seconds that an answer may take.
    """

    def __init__(
        self,
        python: str,
        module: str,
        variables: dict[str, str] | None = None,
        timeout: float = 600,
    ) -> None:
        self.timeout = timeout
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by `stop`)
        self._rest = b""
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path, **(variables or {})},
        )
        try:
            self.greeting = self._receive()
        except WorkerError:
            self.stop()
            raise

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises
        ------
        NotYetError
            If the library lacks what the command needs.
        WorkerError
            If the command failed, the process ended, or no answer came in time.
        """
        line = json.dumps({"do": command, **arguments}) + "\n"
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        except OSError:
            raise WorkerError(f"the process has ended: {self._last_words()}") from None
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + self.timeout
        pipe = self.process.stdout
        while b"\n" not in self._rest:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([pipe], [], [], left)[0]:
                self.process.kill()
                raise WorkerError(f"no answer in {self.timeout:.0f} s")
            part = os.read(pipe.fileno(), 65536)
            if not part:
                status = self.process.wait()
                raise WorkerError(f"ended with status {status}: {self._last_words()}")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        answer = json.loads(line)
        if answer.pop("ok"):
            return answer
        if "not_yet" in answer:
            raise NotYetError(answer["not_yet"])
        raise WorkerError(answer["error"])

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return lines[-1][:500] if lines else "it said nothing"

    def stop(self) -> None:
        """End the process; it gets a moment to do so itself."""
        with contextlib.suppress(OSError):
            self.process.stdin.write(b'{"do": "exit"}\n')
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._errors.close()


@dataclass
class Turns:
    """What one library said in all its turns, or why it said nothing.

    `status` is ``'measured'``, ``'not yet'``, ``'failed'`` or ``'unavailable'``.
    """

    status: str = "measured"
    reason: str = ""
    greeting: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def values(self, command: str, key: str) -> list[Any]:
        """Return one value of each answer to a command, in the order of the rounds."""
        return [answer[key] for answer in self.answers.get(command, [])]


@dataclass
class Calm:
    """When a turn counts: others used at most `limit` cores while it ran.

    `patience` is how many seconds all turns together may wait for that and repeat; after that
    turns count as they come. Whether a turn counts never depends on what it measured.
    """

    limit: float = 0.15
    patience: float = 0.0

    def wait(self) -> None:
        """Wait until others are quiet, or patience has ended."""
        if self.patience > 0:
            self.patience -= wait_for_calm(self.limit, self.patience)


@dataclass(frozen=True)
class Command:
    """One command and its arguments; a repeatable one may be given again if it was disturbed."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    repeatable: bool = False


def _ask(worker: Worker, command: Command, calm: Calm) -> dict[str, Any]:
    """Give a command until a turn counts; of those that didn't the calmest stands."""
    calmest: dict[str, Any] | None = None
    while True:
        if command.repeatable:
            calm.wait()
        start, watch = time.monotonic(), Disturbance(worker.process.pid)
        answer = worker.ask(command.name, **command.arguments)
        answer["disturbance"] = watch.cores()
        if calmest is None or answer["disturbance"] < calmest["disturbance"]:
            calmest = answer
        if not command.repeatable or calmest["disturbance"] <= calm.limit or calm.patience <= 0:
            return calmest
        calm.patience -= time.monotonic() - start


def take_turns(
    starters: dict[str, Callable[[], Worker]],
    setups: dict[str, list[Command]],
    each_round: Iterable[Command],
    rounds: int,
    last: Iterable[Command] = (),
    calm: Calm | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Turns]:
    """Start all workers, give each its setup, then `rounds` times one turn to each.

    A worker that fails drops out with its reason; the others go on. The order turns round by one
    place a round, so that no library always follows the same other one.

    Parameters
    ----------
    starters
        Name → what starts its worker.
    setups
        Name → commands before the first round.
    each_round, last
        Commands of a turn, and those after the last round.
    rounds
        Number of turns for each.
    calm
        When a turn counts; always, if not given.
    say
        Called with a line on what is going on.
    """
    calm = calm or Calm()
    results = {name: Turns() for name in starters}
    workers: dict[str, Worker] = {}

    def attempt(name: str, commands: Iterable[Command]) -> None:
        turns = results[name]
        try:
            for command in commands:
                answer = _ask(workers[name], command, calm)
                turns.answers.setdefault(command.name, []).append(answer)
        except WorkerError as error:
            turns.status = "not yet" if isinstance(error, NotYetError) else "failed"
            turns.reason = str(error)
            say(f"{name}: {turns.status}: {error}")
            workers.pop(name).stop()

    try:
        for name, start in starters.items():
            say(f"{name}: starting")
            try:
                workers[name] = start()
            except (WorkerError, OSError) as error:
                results[name] = Turns("unavailable", str(error))
                say(f"{name}: unavailable: {error}")
                continue
            results[name].greeting = workers[name].greeting
            attempt(name, setups[name])
        names = list(workers)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            shift = number % max(1, len(names))
            for name in names[shift:] + names[:shift]:
                if name in workers:
                    attempt(name, each_round)
        for name in list(workers):
            attempt(name, last)
    finally:
        for worker in workers.values():
            worker.stop()
    return results
