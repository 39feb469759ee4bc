"""Cycle-level golden model of learn: the section Learning of `docs/hardware.md`."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spikeloom.golden.cycle.axons import Axons, Sources
from spikeloom.golden.cycle.full_fire import FullFire
from spikeloom.golden.cycle.groups import Group
from spikeloom.golden.cycle.learning_rows import AGES, RuleMemories, RuleRow
from spikeloom.golden.cycle.note_queue import Note
from spikeloom.golden.cycle.plastic_integrate import PlasticIntegrate
from spikeloom.golden.cycle.synapses import Flags, Numbers, added, changed
from spikeloom.golden.cycle.targets import NO_TARGETS, NeuronMemories, Targets
from spikeloom.golden.spec import FabricConfig, index_bits

REST, NOTE1, NOTE2, NOTE3, RULE, SETUP, GROUP, LOAD, SCAN, DRAIN, NEXT, END, CLEAR = range(13)
"""States of learn."""

WRITES = 8
"""Entries of the queue of writes."""
CHANGE = 9
"""Clocks from a word being read until it is the head of the queue of writes, if that is empty."""
CHANGE_WITHOUT_QUEUE = 7
"""The same where the word waits in no queue, and a clock more for each of its passes."""


class Word(NamedTuple):
    """A word of weights on its way from the clock in which it is read to that of its write."""

    address: int
    weights: Numbers
    synapses: int
    queued: int
    """The clock of SCAN and DRAIN from which on it can be written; in which, with two ports."""


class Learn:
    """Notes which axons spike, and changes weights in LEARN.

    What a clock did to its memories is in `read` (an address), `written`, `axon_written` and
    `trace_written` (an address and data), or None. `axon` and `targets` are the axon being noted
    and the group that was loaded last, `hits` says of each entry of SCAN whether its word is read,
    and `words` has these words in order; `half`: that of the plane was read in the clock before.
    `position` is the entry in stage 4, less than 0 while there is none. `elapsed` counts clocks
    since LOAD, SCAN or CLEAR began; no word is read before it is `next_read`.
    """

    __slots__ = (
        "age",
        "axon_written",
        "axons",
        "change_clocks",
        "changing",
        "counter_mask",
        "due",
        "elapsed",
        "ends",
        "fire",
        "group",
        "half",
        "hits",
        "integrate",
        "memories",
        "neurons",
        "next_read",
        "note",
        "passes",
        "position",
        "queue",
        "r",
        "read",
        "row",
        "sources",
        "state",
        "step_mask",
        "t",
        "targets",
        "trace_written",
        "two_ports",
        "updates",
        "weight_bits",
        "weights",
        "word_mask",
        "words",
        "written",
        "x",
    )

    def __init__(self, config: FabricConfig, fire: FullFire, integrate: PlasticIntegrate) -> None:
        self.fire = fire
        self.integrate = integrate
        self.memories = RuleMemories(config)
        self.axons = Axons(config)
        self.neurons = NeuronMemories(config, fire)
        self.weights = np.zeros((config.weight_words, config.lanes), np.int8)
        self.weight_bits = config.weight_bits
        self.word_mask = (1 << index_bits(config.weight_words)) - 1
        self.step_mask = (1 << config.stamp_bits) - 1
        self.counter_mask = (1 << config.counter_bits) - 1
        self.two_ports = config.two_ports
        self.passes = config.learn_passes
        queued = self.passes == 1 and not config.two_ports
        self.change_clocks = CHANGE if queued else CHANGE_WITHOUT_QUEUE + self.passes
        self.state = REST
        self.t = self.r = 0
        self.due = self.ends = False
        self.note = Note(0, 0)
        self.age = self.x = 0  # of its axon
        self.elapsed = self.next_read = 0
        self.row = RuleRow()  # of RULE, as read last in RULE
        self.group = Group(self.row)
        self.targets = NO_TARGETS
        self.sources: Sources | None = None  # once scanned: of the group, or of any of the rule
        self.hits: list[bool] = []
        self.words: Iterator[Word] = iter(())
        self.position = 0
        self.half = False
        self.changing: deque[Word] = deque()
        self.queue: deque[Word] = deque()
        self.updates = 0
        self.read: int | None = None
        self.written: tuple[int, int] | None = None
        self.axon_written: tuple[int, int] | None = None
        self.trace_written: tuple[int, int] | None = None

    @property
    def idle(self) -> bool:
        """Whether it keeps nobody waiting."""
        return not self.due and (self.state <= NOTE3 or self.state == CLEAR)

    @property
    def resting(self) -> bool:
        """Whether no register changes until a note or a command arrives."""
        return self.state == REST and not self.due and self.integrate.notes.empty

    def write_weights(self, address: int, word: int) -> None:
        """Follow a load word to the memory of weights."""
        sign = 1 << self.weight_bits - 1
        for lane in range(self.weights.shape[1]):
            weight = word >> lane * self.weight_bits & 2 * sign - 1
            self.weights[address, lane] = (weight ^ sign) - sign

    def packed(self, address: int) -> int:
        """A word of weights as it is now."""
        data, mask = 0, (1 << self.weight_bits) - 1
        for weight in reversed(self.weights[address].tolist()):
            data = data << self.weight_bits | weight & mask
        return data

    def load(self, learning: int) -> None:
        """A LEARN load word arrives."""
        self.integrate.learning = bool(learning)
        self._clear()

    def command(self, ends: int) -> None:
        """The sequencer's `learn` arrives."""
        self.due, self.ends = True, bool(ends)

    def clock(self) -> None:
        """Advance by one clock; call after integrate and before `command` and `load`."""
        self.read = self.written = self.axon_written = self.trace_written = None
        state = self.state
        pops = False
        if state == REST:
            pops = self._rest()
        elif state <= NOTE3:
            self._note()
        elif state == LOAD:
            self._load()
        elif state == SCAN:
            self._scan()
        elif state == DRAIN:
            self._drain()
        elif state == CLEAR:
            self._clear_row()
        else:
            self._walk()
        self.integrate.notes.clock(pops)

    def _rest(self) -> bool:
        """REST; whether a note is popped."""
        notes = self.integrate.notes
        if self.due and not notes.level:
            self.state = RULE if self.fire.touched or self.ends else END
            self.due = False
            self.r = 0
        elif notes.head is not None:
            self.note = notes.head
            self.state = NOTE1
            return True
        return False

    def _note(self) -> None:
        """NOTE1, NOTE2 and NOTE3."""
        axons, (number, axon) = self.axons, self.note
        rule = self.memories.rules[number]
        valid = bool(axons.valid[axon])
        if self.state == NOTE1:
            self.age = axons.age(axon, self.t)
            self.state = NOTE2
        elif self.state == NOTE2:
            raised = min(255, int(axons.trace[axon]) + rule.pre_amount)
            amount = rule.pre_amount if rule.nearest_pre else raised
            decay = int(self.memories.pre_decay[number * AGES + self.age])
            self.x = amount * decay >> 8 if valid else 0
            self.state = REST if valid and axons.stamp[axon] == self.t else NOTE3
        else:
            self.axon_written = axon, axons.write(axon, 1, self.t, self.age, self.x)
            if not valid:
                axons.active[rule.axon_base + axons.counts[number]] = axon
                axons.counts[number] += 1
            self.state = REST

    def _walk(self) -> None:
        """RULE, SETUP, GROUP, NEXT and END."""
        row, group = self.row, self.group
        if self.state == RULE:
            self.row = self.memories.rules[self.r]
            self.state = SETUP
        elif self.state == SETUP:
            self.group = Group(row)
            self.sources = None
            unused = not row.groups or (row.at_end and not self.ends)
            self.state = NEXT if unused else GROUP
        elif self.state == GROUP:
            bit = row.neuron_base // self.neurons.lanes + group.g
            if group.g == row.groups:
                self.state = NEXT
            elif row.at_end or self.fire.touched >> bit & 1:
                self.state = LOAD
                self.elapsed = 0
            else:
                self._next_group()
        elif self.state == NEXT:
            self.r += 1
            self.state = END if self.r == len(self.memories.rules) else RULE
        else:
            self.fire.touched = 0
            self.t = self.t + 1 & self.step_mask
            self.state = REST
            if self.ends:
                self._clear()

    def _next_group(self) -> None:
        self.group.advance()
        if self.row.kernel:
            self.sources = None
        self.state = GROUP

    def _load(self) -> None:
        """LOAD; what its stages do to all lanes is computed in the first clock."""
        if not self.elapsed:
            self.targets = self.neurons.loaded(self.memories, self.r, self.group)
        targets, lanes = self.targets, self.neurons.lanes
        lane = self.elapsed - 3  # in stage 3
        if lane in targets.traces:
            address = self.row.neuron_base + self.group.g * lanes + lane
            self.neurons.trace[address] = targets.traces[lane]
            self.trace_written = address, targets.traces[lane]
        last = max(lanes + 3, 2 * lanes + 1) if self.row.third else lanes + 3
        self.elapsed += 1
        if self.elapsed > last:
            if targets.gates.any():
                self._begin_scan()
            else:
                self._next_group()

    def _begin_scan(self) -> None:
        """Compute what all entries of SCAN do.

        This is exact, as nothing of it changes in SCAN but the weights, each in a word of its own.
        """
        if self.sources is None:
            self.sources = self.axons.scanned(self.memories, self.r, self.t, self.group)
        sources, targets = self.sources, self.targets
        applying = sources.gates[:, :, np.newaxis] & targets.gates[:, np.newaxis, :]
        synapses: Flags = np.any(applying, axis=0)
        hit: Flags = np.any(synapses, axis=1)
        self.hits = hit.tolist()
        self.words = self._changes(sources, targets, applying, synapses, np.flatnonzero(hit))
        self.position = -4
        self.elapsed = self.next_read = 0
        self.state = SCAN

    def _changes(
        self,
        sources: Sources,
        targets: Targets,
        applying: Flags,
        synapses: Flags,
        hits: Numbers,
    ) -> Iterator[Word]:
        """The words that are read, in order, as they are written; `hits` are their entries."""
        if not hits.size:
            return
        group, numbers = self.group, sources.numbers[hits]
        addresses = group.word + numbers & self.word_mask
        plane = np.zeros_like(self.weights[addresses], np.int64)
        if self.row.plane:
            plane += self.weights[group.plane_word + numbers & self.word_mask]
        lanes = self.neurons.lanes
        index = self.row.index_base + group.c * lanes + np.arange(lanes)
        weights = changed(
            self.row,
            [terms[self.r] for terms in self.memories.terms],
            self.weights[addresses].astype(np.int64),
            plane,
            added(self.row, self.fire.noise.state, numbers, index),
            applying[:, hits],
            sources.factors[:, hits, np.newaxis],
            targets.factors[:, np.newaxis, :],
        )
        counts = synapses[hits].sum(axis=1)
        for address, word, count in zip(addresses.tolist(), weights, counts.tolist(), strict=True):
            yield Word(address, word, count, self.elapsed + self.change_clocks)

    def _scan(self) -> None:
        """SCAN."""
        entries = len(self.hits)
        hit = 0 <= self.position < entries and self.hits[self.position]
        room = self.two_ports or len(self.changing) + len(self.queue) < WRITES
        go = not hit or (room and self.elapsed >= self.next_read)
        of_plane = hit and go and bool(self.row.plane) and not self.half
        if of_plane:
            self._read_plane()
        elif hit and go:
            self._read_word()
        self._advance_words(hit and go)
        self.half = of_plane
        if go and not of_plane:
            self.position += 1
            if not entries or self.position == entries:
                self.state = DRAIN

    def _drain(self) -> None:
        """DRAIN."""
        if self.changing or self.queue:
            self._advance_words(False)
        else:
            self._next_group()

    def _read_plane(self) -> None:
        """The plane's word of a hit is read."""
        assert self.sources is not None  # it is scanned
        source = int(self.sources.numbers[self.position])
        self.read = self.group.plane_word + source & self.word_mask

    def _read_word(self) -> None:
        """The word of a hit is read."""
        word = next(self.words)
        self.read = word.address
        self.updates = self.updates + word.synapses & self.counter_mask
        self.changing.append(word)
        self.next_read = self.elapsed + self.passes

    def _advance_words(self, reads: bool) -> None:
        """A clock of the words that are being changed; one that `reads` takes the only port."""
        if self.changing and self.changing[0].queued == self.elapsed:
            self.queue.append(self.changing.popleft())
        if self.queue and (self.two_ports or not reads):
            word = self.queue.popleft()
            self.weights[word.address] = word.weights
            self.written = word.address, self.packed(word.address)
            self.integrate.write_weights(*self.written)
        self.elapsed += 1

    def _clear(self) -> None:
        """Begin CLEAR in the next clock."""
        self.state = CLEAR
        self.elapsed = 0

    def _clear_row(self) -> None:
        """CLEAR."""
        if not self.elapsed:
            self.t = self.fire.touched = 0
            self.axons.counts = [0] * len(self.axons.counts)
        self.axon_written = self.elapsed, self.axons.write(self.elapsed, 0, 0, 0, 0)
        self.elapsed += 1
        if self.elapsed == len(self.axons.valid):
            self.state = REST
