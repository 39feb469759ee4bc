"""A board on a serial line, as a device like any other."""

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.batches import Batch, counted, run_of
from spikeloom.devices.codes import InvalidCode, ResultCodes, event_codes
from spikeloom.devices.device import Events, ProgramDevice, Progress, Run
from spikeloom.devices.learning import Lesson, learned_run, learns, plastic_numbers
from spikeloom.devices.readback import neuron_addresses
from spikeloom.devices.requests import (
    control_body,
    counters,
    identify,
    load,
    read,
)
from spikeloom.devices.serial_port import open_port
from spikeloom.devices.session import LinkLost, Session, reminder_interval
from spikeloom.devices.traces import Traces, traced_neurons
from spikeloom.devices.weights import memory_weights
from spikeloom.events import event_counts
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import decode_packets
from spikeloom.golden.link import Command, EventCode, Kind, LinkConfig, contents_digest
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import LoadTarget, ReadTarget
from spikeloom.program import Program

BAUD = 1_000_000
"""Default rate of the line, in bits per second."""
PATIENCE = 1.0
"""Seconds without an answer after which to ask again."""
ATTEMPTS = 8
"""Sessions in which to try an action before giving up."""
BATCH = 1 << 16
"""Bytes of events per batch; smaller on a line that loses data."""
_FIRST = 0x10
"""Bit of a step mark: the step is the first of a sample."""
_ALL_BUT_RANDOM = frozenset(LoadTarget) - {LoadTarget.RANDOM}
_ALL_BUT_WEIGHT = frozenset(LoadTarget) - {LoadTarget.WEIGHT}

T = TypeVar("T")


class SerialDevice(ProgramDevice):
    """A board that implements docs/link.md. It is loaded once, when it is opened.

    After that it writes only what changes: weights that are replaced; and for a run with traces
    the population rows with their trace bits, and afterwards those of the program again.

    Samples run in batches. A batch counts once all its steps and the counters after it have
    arrived; after a loss on the link it runs again.

    The clocks of a sample include those in which the fabric waited for the link. The first sample
    of a batch, which starts when its first event is sent, includes more of them. Clocks are counted
    modulo 2**32, or modulo 2**`counter_bits` if that is less.

    Parameters
    ----------
    program
        Loaded on construction.
    port
        The serial port, such as "/dev/ttyUSB0".
    baud
        Bits per second of the board's line.
    patience
        Seconds without an answer after which to ask again, at the latest: longer than the line
        takes to transmit the contents of the board's buffer.

    Attributes
    ----------
    board
        Configuration of the board's link.
    readable
        Whether the board's memories can be read.

    Raises
    ------
    SpikeloomError
        There is no such port, no board answers, or the board was built for another fabric.
    """

    board: LinkConfig
    readable: bool

    def __init__(
        self, program: Program, port: str, baud: int = BAUD, patience: float = PATIENCE
    ) -> None:
        super().__init__(program)
        self.port, self.baud = port, baud
        self._line = open_port(port, baud, reminder_interval(patience, baud) / 4)
        self.session = Session(self._line, patience, baud)
        self._begun = False
        self._image = program.image  # the program's, with the trace bits of the run
        self._loaded: MemoryImage | None = None  # whose rows the board holds
        self._held: tuple[LoadTarget, ...] = ()  # memories built with the program's contents
        self._results = ResultCodes(program.fabric)
        try:
            self._attempt(lambda: None)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the port."""
        self._line.close()

    def run(
        self,
        events: Events,
        progress: Progress | None = None,
        *,
        traces: Traces | None = None,
        learn: bool = False,
    ) -> Run:
        """See `Device.run`."""
        if learns(learn):
            return learned_run(self, events, progress, traces)
        counts = event_counts(self.program.network, events)
        neurons = traced_neurons(self.program.network, traces)
        if neurons:
            self._warn_of_overwriting(LoadTarget.POPULATION, "traces replace population rows")
        self._image = image = self.program.image.with_traces(neurons)
        try:
            if image.sequential:
                batches = self._attempt(lambda: self._run_in_order(image, counts))
            else:
                batches = self._run_batches(counts, progress)
        finally:
            self._image = self.program.image
        if neurons:
            # Restores the population rows. The results are complete whether or not that succeeds:
            # if it does not, the next use of the board tries again, and says what is wrong.
            with contextlib.suppress(SpikeloomError):
                self._attempt(lambda: None)
        return run_of(batches, neurons)

    def take(self, program: Program) -> None:
        """See `ProgramDevice.take`. Writes the rows that change."""
        self._warn_of_overwriting(LoadTarget.WEIGHT, "this replaces weights or thresholds")
        before = self.program
        self.program, self._image = program, program.image
        try:
            self._attempt(lambda: None)
        except BaseException:
            self.program, self._image = before, before.image
            raise

    def connection_weights(self, number: int) -> Integers:
        """See `ProgramDevice.connection_weights`. Reads them from the board's memories."""
        return memory_weights(self.program, number, functools.partial(self.read, ReadTarget.WEIGHT))

    def lessons(
        self, counts: Mapping[str, EventCounts], neurons: Mapping[str, Integers]
    ) -> Iterator[Lesson]:
        """See `devices.learning.Learner`.

        After a batch the weights are read back; after a loss on the link the board gets those from
        before the batch, which runs again.
        """
        self._check_readable()
        if neurons:
            self._warn_of_overwriting(LoadTarget.POPULATION, "traces replace population rows")
        self._warn_of_overwriting(LoadTarget.WEIGHT, "learning changes weights")
        samples = len(next(iter(counts.values())))
        first, size, done = self.program.learned, BATCH, 0
        try:
            while done < samples:
                self._image = self.program.image.with_traces(neurons).learning()
                if done:
                    self._loaded = self._image

                def learn_batch(start: int = done) -> tuple[list[Batch], dict[int, Integers]]:
                    nonlocal size
                    limit, size = size, max(1, size // 4)
                    return self._learn_batch(counts, start, limit, first)

                batches, weights = self._attempt(learn_batch)
                run = run_of(batches, neurons)
                samples_done = sum(len(batch.clocks) for batch in batches)
                size = min(BATCH, size * 8)
                done += samples_done
                yield Lesson(samples_done, run, weights)
            self._loaded = self.program.image.with_traces(neurons).learning()
            if self._loaded.planes:
                self._loaded = None  # they are not 0 now, as the next run wants them
        finally:
            self._image = self.program.image
        with contextlib.suppress(SpikeloomError):
            self._attempt(lambda: None)  # restores the rows of a run without learning

    def _warn_of_overwriting(self, target: LoadTarget, what: str) -> None:
        """Warn if rows that will be loaded were built into the board."""
        if target in self._held:
            warnings.warn(
                f"{what} that were built into {self.board.board}: until it is configured again, "
                "every new connection loads the whole Program",
                SpikeloomWarning,
                stacklevel=3,
            )

    def _run_batches(
        self, counts: Mapping[str, EventCounts], progress: Progress | None
    ) -> list[Batch]:
        """Run all samples, each batch again until it is complete."""
        samples = len(next(iter(counts.values())))
        batches: list[Batch] = []
        size, done = BATCH, 0
        while done < samples:

            def run_batch(start: int = done) -> Batch:
                nonlocal size
                limit, size = size, max(1, size // 4)
                return self._run_batch(counts, start, limit)

            batches.append(self._attempt(run_batch))
            size = min(BATCH, size * 8)
            done += len(batches[-1].clocks)
            if progress:
                progress(done)
        return batches

    def _run_in_order(
        self, image: MemoryImage, counts: Mapping[str, EventCounts], first: int = 0
    ) -> list[Batch]:
        """Run samples that go on from the one before: the first, which keeps nothing, the rest.

        After a loss all of them run again.
        """
        samples = len(next(iter(counts.values())))
        self._loaded = None  # until the rows are those of the image again
        batches, held = [], image
        for start, stop, now in ((0, 1, image.cleared()), (1, samples, image)):
            if start < stop:
                load(self.session, now, held=held)
                held = now
                part = {name: events[:stop] for name, events in counts.items()}
                batches.append(self._run_batch(part, start, sys.maxsize, first))
        load(self.session, image, held=held)
        self._loaded = image
        return batches

    def _learn_batch(
        self, counts: Mapping[str, EventCounts], start: int, limit: int, first: int
    ) -> tuple[list[Batch], dict[int, Integers]]:
        """Learn from samples as `_run_batch` runs them, or from all; with the weights after it."""
        program, image = self.program, self._image
        if LoadTarget.WEIGHT in self._held:
            load(self.session, image, _ALL_BUT_WEIGHT)  # so that the board forgets its digest
        # From here on the board's weights are others, until they have been read.
        self._loaded = None
        if image.sequential:
            batches = self._run_in_order(image, counts, first)
            self._loaded = None
        else:
            batches = [self._run_batch(counts, start, limit, first)]
        words = functools.partial(read, self.session, program.fabric, ReadTarget.WEIGHT)
        numbers = plastic_numbers(program.network)
        return batches, {number: memory_weights(program, number, words) for number in numbers}

    def read(self, target: ReadTarget, tile: int, address: int, rows: int) -> list[int]:
        """Rows of one of the board's memories, packed as in `FabricConfig.readable_memories`.

        Loaded memories read back as loaded, at any time. For the state after a run see
        `final_states`.

        Raises
        ------
        SpikeloomError
            The board was built without a read port.
        """
        self._check_readable()
        fabric = self.program.fabric
        return self._attempt(lambda: read(self.session, fabric, target, tile, address, rows))

    def final_states(self, events: Events) -> dict[str, NDArray[np.int64]]:
        """Run the last sample of `events`, then read the membrane potentials from the memories.

        This covers every neuron, including populations that are not read out.

        Returns
        -------
        By population, of shape (size,).

        Raises
        ------
        SpikeloomError
            As `read` and `run`.
        """
        self._check_readable()
        counts = event_counts(self.program.network, events)
        last = len(next(iter(counts.values()))) - 1

        def action() -> dict[str, NDArray[np.int64]]:
            # A new session would overwrite the final states, so both happen in the same one.
            if self._image.sequential:
                self._run_in_order(self._image, counts)
            else:
                self._run_batch(counts, last, 1)
            return self._read_states()

        return self._attempt(action)

    def _check_readable(self) -> None:
        if not self.readable:
            raise SpikeloomError(
                f"the memories of {self.board.board} on {self.port} cannot be read: "
                "build it with --set readable=true"
            )

    def _attempt(self, action: Callable[[], T]) -> T:
        """The result of `action`, repeated in a new session whenever the session is lost."""
        reason = ""
        for _ in range(ATTEMPTS):
            try:
                if self._begun and self._loaded:
                    self.session.rested()
                else:
                    self._begin()
                self._load_changes()
                return action()
            except (LinkLost, InvalidCode) as error:
                self._begun = False
                reason = str(error)
            except OSError as error:
                raise SpikeloomError(f"{self.port} is gone: {error}") from None
        raise SpikeloomError(
            f"{self.port}: no board keeps up the link at {self.baud} baud ({reason}): "
            "is it connected, flashed, and set to this rate?"
        )

    # The steps of an action, each within one session.

    def _begin(self) -> None:
        kept = self.session.begin()
        self._results = ResultCodes(self.program.fabric)
        if not (kept and self._loaded):
            self._loaded = None
            self._identify()
            load(self.session, self.program.image, self._held)
            self._loaded = self.program.image
        self._clear()
        self._begun = True

    def _load_changes(self) -> None:
        """Make the board's memories those of the image to run."""
        held = self._loaded
        if held and held is not self._image:
            self._loaded = None  # if the link is lost before all are written, load everything
            if held.control != self._image.control:
                self.session.send(Command.LOAD, control_body(self._image))
            load(self.session, self._image, held=held)
            self._loaded = self._image

    def _identify(self) -> None:
        identity = identify(self.session)
        self.board, self.readable = identity.link, identity.fabric.readable
        name = self.board.board
        self.program.image.check_fits(identity.fabric, name, f"{name} on {self.port}")
        self.session.buffer = self.board.buffer
        expected = self.program.image.contents(self.board.baked)
        same = self.board.contents == contents_digest(expected, identity.fabric)
        self._held = self.board.baked if same else ()

    def _clear(self) -> None:
        """Load the control register, and clear the accumulators by one sample per slot."""
        image = self.program.image
        if LoadTarget.CONTROL not in self._held:
            self.session.send(Command.LOAD, control_body(image))
        slots = image.config.slots
        self.session.send(Command.EVENTS, slots * bytes([EventCode.MARK | _FIRST]))
        self._wait_for_steps(slots)
        self._results.take()

    def _run_batch(
        self, counts: Mapping[str, EventCounts], start: int, limit: int, first: int = 0
    ) -> Batch:
        """Run samples from `start` on until their events take `limit` bytes.

        `first` is the number of sample 0 in its run.
        """
        samples, steps = next(iter(counts.values())).shape[:2]
        fabric = self.program.fabric
        if fabric.noise or fabric.plasticity:
            load(self.session, self._image.from_sample(first + start), _ALL_BUT_RANDOM)
        before = counters(self.session, fabric)
        sample, sent, waiting = start, 0, b""
        room = self.session.largest_body
        while sample < samples and sent < limit:
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
        self._wait_for_steps(number * steps)
        after = counters(self.session, fabric)
        decoded = decode_packets(self._image, *self._results.take(), number, steps)
        ends = np.append(before[0]["cycles"] - 1, decoded.clocks[:, -1])
        return Batch(
            decoded,
            np.diff(ends) % (1 << min(32, fabric.counter_bits)),
            counted(before, after, fabric),
        )

    def _send_events(self, codes: bytes) -> None:
        self.session.send(Command.EVENTS, codes)
        self._take_results()

    def _wait_for_steps(self, steps: int) -> None:
        while self._results.steps < steps:
            self.session.wait()
            self._take_results()

    def _take_results(self) -> None:
        while self.session.received:
            kind, body = self.session.received.popleft()
            if kind != Kind.RESULTS:
                raise LinkLost(f"unsolicited {kind.name}")
            self._results.feed(body)

    def _read_states(self) -> dict[str, NDArray[np.int64]]:
        """The current membrane potentials of all populations, from the memories."""
        image = self.program.image
        states = {node.name: np.zeros(node.size, np.int64) for node in image.senders}
        layout = image.config.state_row
        for name, tile, neurons, rows in neuron_addresses(image):
            if rows.size:
                first, last = int(rows.min()), int(rows.max())
                words = read(
                    self.session, image.config, ReadTarget.STATE, tile, first, last - first + 1
                )
                values = np.array([layout.unpack(word)["value"] for word in words])
                states[name][neurons] = values[rows - first]
        return states
