"""A board on a serial line, as a device like every other."""

import contextlib
import importlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.codes import NoCode, ResultCodes, event_codes
from spikeloom.devices.device import Events, ProgramDevice, Progress, Run, joined
from spikeloom.devices.readback import neuron_places
from spikeloom.devices.session import LinkLost, Session
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import DecodedRun, decode_packets
from spikeloom.golden.link import (
    MOST_READ,
    Command,
    EventCode,
    Kind,
    LinkConfig,
    contents_digest,
    parse_identity,
    whole_bytes,
)
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import TILE_COUNTERS, LoadTarget, ReadTarget
from spikeloom.golden.step.run import check_inputs
from spikeloom.program import Program

BAUD = 1_000_000
"""Bits per second where none are given."""
PATIENCE = 1.0
"""Seconds without an answer after which a board is asked again."""
ATTEMPTS = 8
"""Sessions in which something is tried."""
BATCH = 1 << 16
"""Bytes of events after which what was heard counts. On a line that fails, it is less."""
_FIRST = 0x10
"""In a step mark: the step opens a sample."""
_LOAD_HEADER = 5
"""Bytes before the rows of LOAD: target, tile, address."""

T = TypeVar("T")


class SerialDevice(ProgramDevice):
    """A board that speaks docs/link.md. It is loaded once, when it is opened.

    Samples run in batches. A batch counts when its steps and the counters after it are all there;
    where the link lost something it runs again.

    The clocks of a sample include those in which the fabric waited for the link; those of the
    first of a batch, which begin when its first event is sent, more so. They come modulo 2**32, or
    2**`counter_bits` if that is less.

    Parameters
    ----------
    program
        Loaded at once.
    port
        The serial port, such as "/dev/ttyUSB0".
    baud
        Bits per second, those of the board.
    patience
        Seconds without an answer after which to ask again: longer than the board's buffer takes on
        the line.

    Attributes
    ----------
    board
        What the board's link was built with.
    readable
        The board's memories can be read.

    Raises
    ------
    SpikeloomError
        There is no such port, no board answers, or it was built for another fabric.
    """

    board: LinkConfig
    readable: bool

    def __init__(
        self, program: Program, port: str, baud: int = BAUD, patience: float = PATIENCE
    ) -> None:
        super().__init__(program)
        self.port, self.baud = port, baud
        self._line = _open_port(port, baud, patience)
        self.session = Session(self._line, patience)
        self._begun = self._loaded = False
        self._held: tuple[LoadTarget, ...] = ()  # what of the program the board is built with
        self._results = ResultCodes(program.fabric)
        try:
            self._attempt(lambda: None)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the port back."""
        self._line.close()

    def run(self, events: Events, progress: Progress | None = None) -> Run:
        """See `Device.run`."""
        counts = check_inputs(self.program.network, events)
        samples = len(next(iter(counts.values())))
        parts: list[tuple[DecodedRun, NDArray[np.int64], int, int]] = []
        size, done = BATCH, 0
        while done < samples:

            def batch(start: int = done) -> tuple[DecodedRun, NDArray[np.int64], int, int]:
                nonlocal size
                limit, size = size, max(1, size // 4)
                return self._batch(counts, start, limit)

            parts.append(self._attempt(batch))
            size = min(BATCH, size * 8)
            done += len(parts[-1][1])
            if progress:
                progress(done)
        heard = [part[0] for part in parts]
        return Run(
            joined([h.spikes for h in heard]),
            joined([h.states for h in heard]),
            np.concatenate([part[1] for part in parts]),
            sum(part[2] for part in parts),
            sum(part[3] for part in parts),
        )

    def read(self, target: ReadTarget, tile: int, address: int, rows: int) -> list[int]:
        """Rows of a memory of the board, packed as in `FabricConfig.readable_memories`.

        What was loaded reads as it was loaded, at any time. For what a run left, see
        `final_states`.

        Raises
        ------
        SpikeloomError
            The board was built without a read port.
        """
        self._check_readable()
        return self._attempt(lambda: self._read(target, tile, address, rows))

    def final_states(self, events: Events) -> dict[str, NDArray[np.int64]]:
        """Run the last sample of `events`, and read the potentials after it from the memories.

        They are those of every neuron, also of populations that are not read out.

        Returns
        -------
        By population, of shape (size,).

        Raises
        ------
        SpikeloomError
            As `read` and `run`.
        """
        self._check_readable()
        counts = check_inputs(self.program.network, events)
        last = len(next(iter(counts.values()))) - 1

        def action() -> dict[str, NDArray[np.int64]]:
            # A new session overwrites what a run left; so both are done in one.
            self._batch(counts, last, 1)
            return self._states()

        return self._attempt(action)

    def _check_readable(self) -> None:
        if not self.readable:
            raise SpikeloomError(
                f"the memories of {self.board.board} on {self.port} cannot be read: "
                "build it with --set readable=true"
            )

    # What is done in a session, and again in the next one where that was lost.

    def _attempt(self, action: Callable[[], T]) -> T:
        """What `action` returns, in a session with a board that holds the program."""
        lost = ""
        for _ in range(ATTEMPTS):
            try:
                if not self._begun:
                    self._begin()
                return action()
            except (LinkLost, NoCode) as error:
                self._begun = False
                lost = str(error)
            except OSError as error:
                raise SpikeloomError(f"{self.port} is gone: {error}") from None
        raise SpikeloomError(
            f"{self.port}: no board keeps up the link at {self.baud} baud ({lost}): "
            "is it connected, flashed, and as fast?"
        )

    def _begin(self) -> None:
        kept = self.session.begin()
        self._results = ResultCodes(self.program.fabric)
        if not (kept and self._loaded):
            self._loaded = False
            self._identify()
            self._load()
            self._loaded = True
        self._clear()
        self._begun = True

    def _identify(self) -> None:
        self.session.send(Command.IDENTIFY)
        identity = parse_identity(self._answer(Kind.IDENTITY))
        self.board, self.readable = identity.link, identity.fabric.readable
        name = f"{self.board.board} on {self.port}"
        self.program.image.check_fits(identity.fabric, name)
        self.session.buffer = self.board.buffer
        ours = self.program.image.contents(self.board.baked)
        same = self.board.contents == contents_digest(ours, identity.fabric)
        self._held = self.board.baked if same else ()

    def _load(self) -> None:
        for body in load_bodies(self.program.image, self.session.largest_body, self._held):
            self.session.send(Command.LOAD, body)
        while not self.session.settled:
            self.session.wait()

    def _clear(self) -> None:
        """Load the control register, and empty the accumulators by a sample for each slot."""
        image = self.program.image
        if LoadTarget.CONTROL not in self._held:
            self.session.send(Command.LOAD, control_body(image))
        slots = image.config.slots
        self.session.send(Command.EVENTS, slots * bytes([EventCode.MARK | _FIRST]))
        while self._results.steps < slots:
            self.session.wait()
            self._take_results()
        self._results.take()

    def _batch(
        self, counts: Mapping[str, NDArray[np.uint8]], start: int, size: int
    ) -> tuple[DecodedRun, NDArray[np.int64], int, int]:
        """Run samples from `start` on until their events take `size` bytes.

        Returns
        -------
        What was heard, the clocks of each sample, the synaptic operations and the errors.
        """
        samples, steps = next(iter(counts.values())).shape[:2]
        before = self._counters()
        sample, sent, waiting = start, 0, b""
        room = self.session.largest_body
        while sample < samples and sent < size:
            codes = event_codes(self.program.image, counts, sample)
            waiting += codes
            sent += len(codes)
            sample += 1
            while len(waiting) >= room:
                self._send_events(waiting[:room])
                waiting = waiting[room:]
        if waiting:
            self._send_events(waiting)
        number = sample - start
        while self._results.steps < number * steps:
            self.session.wait()
            self._take_results()
        after = self._counters()
        heard = decode_packets(self.program.image, *self._results.take(), number, steps)
        bits = self.program.fabric.counter_bits
        ends = np.append(before[0]["cycles"] - 1, heard.clocks[:, -1])
        clocks = np.diff(ends) % (1 << min(32, bits))
        synops, errors = (
            sum(
                (now[name] - then[name]) % (1 << bits)
                for now, then in zip(after, before, strict=True)
            )
            for name in ("synops", "errors")
        )
        return heard, clocks, synops, errors

    def _send_events(self, codes: bytes) -> None:
        self.session.send(Command.EVENTS, codes)
        self._take_results()

    def _take_results(self) -> None:
        while self.session.heard:
            kind, body = self.session.heard.popleft()
            if kind != Kind.RESULTS:
                raise LinkLost(f"{kind.name}, which nobody asked for")
            self._results.feed(body)

    def _counters(self) -> list[dict[str, int]]:
        """The counters of every tile."""
        fabric = self.program.fabric
        size = whole_bytes(fabric.counter_bits)
        found = []
        for tile in range(fabric.tiles):
            self.session.send(Command.COUNTERS, bytes([tile]))
            body = self._answer(Kind.COUNTERS)
            names = ("cycles", *TILE_COUNTERS)
            if len(body) != 1 + size * len(names) or body[0] != tile:
                raise LinkLost("counters of another form")
            values = (
                int.from_bytes(body[at : at + size], "little") for at in range(1, len(body), size)
            )
            found.append(dict(zip(names, values, strict=True)))
        return found

    def _read(self, target: ReadTarget, tile: int, address: int, rows: int) -> list[int]:
        layout, _ = self.program.fabric.readable_memories[target]
        size = whole_bytes(layout.width)
        most = MOST_READ // size
        counts = [min(most, rows - done) for done in range(0, rows, most)]
        for number, count in enumerate(counts):
            start = address + number * most
            head = bytes([target, tile]) + start.to_bytes(3, "little")
            self.session.send(Command.READ, head + bytes([count * size]))
        found: list[int] = []
        for count in counts:
            body = self._answer(Kind.MEMORY)
            if len(body) != count * size:
                raise LinkLost("rows of another form")
            found += (
                int.from_bytes(body[at : at + size], "little") for at in range(0, len(body), size)
            )
        return found

    def _states(self) -> dict[str, NDArray[np.int64]]:
        """The potentials of all populations, as they are in the memories."""
        image = self.program.image
        found = {node.name: np.zeros(node.size, np.int64) for node in image.senders}
        row = image.config.state_row
        for name, tile, neurons, rows in neuron_places(image):
            if rows.size:
                first, last = int(rows.min()), int(rows.max())
                read = self._read(ReadTarget.STATE, tile, first, last - first + 1)
                values = np.array([row.unpack(word)["value"] for word in read])
                found[name][neurons] = values[rows - first]
        return found

    def _answer(self, wanted: Kind) -> bytes:
        """The body of the next frame with an answer."""
        while not self.session.heard:
            self.session.wait()
        kind, body = self.session.heard.popleft()
        if kind != wanted:
            raise LinkLost(f"{kind.name} instead of {wanted.name}")
        return body


def load_bodies(
    image: MemoryImage, room: int, held: Collection[LoadTarget] = ()
) -> Iterator[bytes]:
    """The bodies of LOAD, each of at most `room` bytes, that write the memories but those `held`.

    A memory keeps what it held in rows that the image does not have; nothing leads there.
    """
    memories = image.config.memories
    for number, tile in enumerate(image.tiles):
        for target, rows in tile.tables.items():
            if target in held:
                continue
            size = whole_bytes(memories[target].row.width)
            most = max(1, (room - _LOAD_HEADER) // size)
            for address in range(0, len(rows), most):
                some = rows[address : address + most]
                yield _load_body(target, number, address, size, some)


def control_body(image: MemoryImage) -> bytes:
    """The body of LOAD that writes the control register."""
    size = whole_bytes(image.config.control_row.width)
    return _load_body(LoadTarget.CONTROL, 0, 0, size, (image.control,))


def _load_body(
    target: LoadTarget, tile: int, address: int, size: int, rows: Sequence[int]
) -> bytes:
    """One body; rows of `size` bytes."""
    data = b"".join(row.to_bytes(size, "little") for row in rows)
    return bytes([target, tile]) + address.to_bytes(3, "little") + data


def _open_port(port: str, baud: int, patience: float) -> Any:
    """The port, as pyserial has it."""
    try:
        serial = importlib.import_module("serial")
    except ImportError:
        raise SpikeloomError("pyserial is missing: pip install 'spikeloom[boards]'") from None
    try:
        line = serial.Serial(port, baud, timeout=patience / 4, exclusive=True)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else error
        raise SpikeloomError(f"cannot open {port} at {baud} baud: {reason}") from None
    # Adapters that wait for more bytes before they hand some on are told not to, where they can.
    with contextlib.suppress(AttributeError, NotImplementedError, OSError, ValueError):
        line.set_low_latency_mode(True)
    return line
