"""Fuzzing: thousands of broken inputs, each used or refused in one line, in no time.

    python tests/fuzz/fuzz.py --inputs 20000 --seed 1 [--kind link] [--only 17]

Each input has a number, and is made from the seed, its kind and its number alone, so that a finding
replays by itself. A worker process of bounded memory works through them; when it dies or hangs, its
input is a finding, and another goes on with the next.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

MEMORY = 2 << 30
"""Bytes that a worker may take beyond those with which it starts."""
SECONDS = 10
"""An input that takes longer hangs. Processor time, so that a busy machine makes no findings."""
PATIENCE = 12 * SECONDS
"""Seconds after which a worker that waits and does nothing hangs too."""

Make = Callable[[Path], "Callable[[random.Random], str]"]
"""In a folder of its own, makes what uses one input and returns the outcome's name."""


@dataclass(frozen=True)
class Finding:
    """An input on which the outcome is neither a result nor a refusal."""

    kind: str
    number: int
    text: str


@dataclass
class Outcome:
    """What came of the inputs of a kind: how many had each outcome, and the findings."""

    counts: dict[str, int]
    findings: list[Finding]


def fuzz(kind: str, make: Make, numbers: range, seed: int) -> Outcome:
    """Use each input of `numbers` once."""
    outcome = Outcome({}, [])
    context = multiprocessing.get_context("fork")
    begun = numbers.start
    while begun < numbers.stop:
        parent, child = context.Pipe(duplex=False)
        todo = range(begun, numbers.stop)
        worker = context.Process(target=_work, args=(kind, make, todo, seed, child))
        worker.start()
        child.close()
        while begun < numbers.stop:
            text = _answer(parent, worker.pid or 0)
            name, _, details = text.partition("\n")
            outcome.counts[name] = outcome.counts.get(name, 0) + 1
            if details:
                outcome.findings.append(Finding(kind, begun, details))
            begun += 1
            if name in ("hang", "death"):
                break
        worker.kill()
        worker.join()
    return outcome


def _answer(parent: Connection, process: int) -> str:
    """The outcome of the input that a worker is at."""
    started, used = time.monotonic(), _seconds(process)
    while not parent.poll(0.5):
        if _seconds(process) - used > SECONDS or time.monotonic() - started > PATIENCE:
            return f"hang\nmore than {SECONDS} s"
    try:
        return str(parent.recv())
    except EOFError:
        return "death\nthe process died"


def _seconds(process: int) -> float:
    """Processor time of a process."""
    try:
        fields = (
            Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        )
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(kind: str, make: Make, numbers: range, seed: int, answers: Connection) -> None:
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nothing:
        os.chdir(folder)
        os.dup2(nothing.fileno(), 0)
        warnings.simplefilter("ignore")
        use = make(Path(folder))
        size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = size * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number in numbers:
            answers.send(_use(use, random.Random(f"{seed}/{kind}/{number}")))


def _use(use: Callable[[random.Random], str], rng: random.Random) -> str:
    try:
        return use(rng)
    except BaseException:
        return f"exception\n{traceback.format_exc()}"


def main() -> int:
    """Fuzz all kinds; exit status 1 if there is a finding."""
    # With this file's folder first on the path.
    kinds: dict[str, tuple[int, Make]] = __import__("fuzz_kinds").KINDS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kind", choices=kinds)
    parser.add_argument("--only", type=int, help="the number of one input")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    shares = sum(share for share, _ in kinds.values())
    found = 0
    for kind, (share, make) in kinds.items():
        if given.kind not in (None, kind):
            continue
        numbers = range(given.inputs * share // shares)
        if given.only is not None:
            numbers = range(given.only, given.only + 1)
        started = time.monotonic()
        outcome = fuzz(kind, make, numbers, given.seed)
        for finding in outcome.findings:
            print(f"{kind} {finding.number}: {finding.text}", flush=True)
        found += len(outcome.findings)
        seconds = time.monotonic() - started
        print(f"{kind}: {len(numbers)} in {seconds:.0f} s, {outcome.counts}", flush=True)
    print(f"{found} findings")
    return int(found > 0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
