"""Fault injection on the line between host and board.

`FaultyLine` stands between terminal and board and corrupts the frames it is told to. A campaign
injects one fault after another while a program runs, and compares every result with the golden
model.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.device import Run
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.session import encoded
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.golden.errors import FaultyDevice, SpikeloomError
from spikeloom.sim.terminal import Machine

KINDS = ("flipped", "dropped", "doubled", "truncated", "noise", "reset", "restarted")
"""In the last two, another host starts a session, and the board loses its state as at power-up;
both happen when a frame passes."""
DIRECTIONS = ("to board", "to host")


@dataclass
class Plan:
    """A fault to inject after this many complete frames."""

    kind: str
    direction: str
    frames: int


class FaultyLine:
    """A board with a faulty line."""

    def __init__(self, board: Machine, seed: int) -> None:
        self.board = board
        self.rng = np.random.default_rng(seed)
        self.plans: list[Plan] = []
        self.frames = dict.fromkeys(DIRECTIONS, 0)
        self._partial = dict.fromkeys(DIRECTIONS, b"")
        self._foreign = b""

    @property
    def at_rest(self) -> bool:
        return self.board.at_rest

    def close(self) -> None:
        self.board.close()

    def play(self, data: bytes) -> bytes:
        data = self._pass("to board", data)
        data, self._foreign = self._foreign + data, b""
        return self._pass("to host", self.board.play(data))

    def _pass(self, direction: str, data: bytes) -> bytes:
        """The frames that end in `data`, with the faults that are due."""
        *whole, self._partial[direction] = (self._partial[direction] + data).split(b"\0")
        out = b""
        for content in whole:
            frame = content + b"\0"
            if content:
                self.frames[direction] += 1
                plans = [plan for plan in self.plans if plan.direction == direction]
                for plan in plans:
                    plan.frames -= 1
                due = [plan for plan in plans if plan.frames < 0]
                if due:  # one at a time
                    self.plans.remove(due[0])
                    frame = self._spoiled(due[0].kind, frame)
            out += frame
        return out

    def _spoiled(self, kind: str, frame: bytes) -> bytes:
        rng = self.rng
        match kind:
            case "flipped":
                bits = np.unpackbits(np.frombuffer(frame, np.uint8))
                bits[rng.choice(len(bits), rng.integers(1, 4), replace=False)] ^= 1
                return np.packbits(bits).tobytes()
            case "dropped":
                return b""
            case "doubled":
                return frame + frame
            case "truncated":
                # With or without its end, so that the rest may run into the next frame.
                return frame[: rng.integers(1, len(frame))] + bytes(int(rng.integers(0, 2)))
            case "noise":
                return rng.bytes(int(rng.integers(1, 40))) + frame
            case "reset":
                content = bytes([int(rng.integers(1, 256)), 0, 0])
                self._foreign = b"\0" + encoded(content)
                return frame
            case _:
                assert kind == "restarted"
                self.board.power_cycle()
                return frame


@dataclass
class Tally:
    """The outcomes of faults.

    `outcomes`: single faults, by direction, kind and outcome. `several`: runs with more than one.
    `wrong`: results that differ from golden, of which there must be none.
    """

    faults: int = 0
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    several: int = 0
    wrong: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.faults} faults, {self.several} runs with several"]
        lines += [
            f"  {direction:<10}{kind:<16}{outcome:<26}{count:>6}"
            for (direction, kind, outcome), count in sorted(self.outcomes.items())
        ]
        lines.append(f"  wrong {len(self.wrong)}, reported as failed {len(self.reported)}")
        return "\n".join(lines)


def differs(run: Run, expected: Run) -> str:
    """The names of the results that differ; empty if none does."""
    pairs = [
        *((f"spikes of {n}", a, run.spikes[n]) for n, a in expected.spikes.items()),
        *((f"states of {n}", a, run.states[n]) for n, a in expected.states.items()),
        ("synops", expected.synops, run.synops),
        ("errors", 0, run.errors),
    ]
    return ", ".join(name for name, wanted, got in pairs if not np.array_equal(wanted, got))


def campaign(
    line: FaultyLine,
    device: SerialDevice,
    events: Sequence[NDArray[np.uint8]],
    faults: int,
    kinds: Sequence[str] = KINDS,
) -> Tally:
    """Inject `faults`, mostly one per run, until all have happened."""
    rng, tally, session = line.rng, Tally(), device.session
    expected = [GoldenDevice(device.program).run(some) for some in events]
    frames = dict.fromkeys(DIRECTIONS, 1)
    while tally.faults < faults and len(tally.reported) < 10:
        if not line.plans:
            for _ in range(rng.choice((1, 1, 1, 1, 3))):
                direction = str(rng.choice(DIRECTIONS))
                after = int(rng.integers(0, frames[direction] + 1))
                line.plans.append(Plan(str(rng.choice(kinds)), direction, after))
        planned = list(line.plans)
        before = dict(line.frames), session.sessions, session.refused, session.resent
        number = int(rng.integers(len(events)))
        try:
            wrong = differs(device.run(events[number]), expected[number])
        except (SpikeloomError, FaultyDevice) as error:
            tally.reported.append(str(error))
        else:
            if wrong:
                tally.wrong.append(f"{wrong} after {planned}")
        injected = [plan for plan in planned if plan not in line.plans]
        tally.faults += len(injected)
        if len(injected) == 1:
            if session.sessions > before[1]:
                outcome = "new session"
            elif session.refused > before[2]:
                outcome = "refused, resent"
            elif session.resent > before[3]:
                outcome = "asked and resent"
            else:
                outcome = "harmless"
            tally.outcomes[injected[0].direction, injected[0].kind, outcome] += 1
        elif injected:
            tally.several += 1
        else:
            frames = {d: line.frames[d] - before[0][d] for d in DIRECTIONS}
    return tally


class HostDied(BaseException):
    pass


class DyingLine:
    """A serial line whose host dies after writing a number of bytes."""

    def __init__(self, line: object, left: int) -> None:
        self.line, self.left = line, left

    def __getattr__(self, name: str) -> object:
        return getattr(self.line, name)

    def write(self, data: bytes) -> int:
        written = self.line.write(data[: self.left])  # type: ignore[attr-defined]
        self.left -= len(data)
        if self.left <= 0:
            raise HostDied
        return written
