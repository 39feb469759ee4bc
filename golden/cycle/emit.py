"""Cycle-level golden model of emit: the section Emit of `docs/hardware.md`."""

from collections import deque

from spikeloom.golden.cycle.fire import Spike
from spikeloom.golden.cycle.packing import offsets
from spikeloom.golden.spec import FabricConfig, PacketKind

Target = tuple[int, int, int]
"""Row of the target table: host, delay, and a packed event with route and connection filled in."""

Beat = tuple[PacketKind, int, int, int, Target | None]
"""Contents of stage B: kind, index and position, population, value (of a spike what it counts), and
the target row (None for the beat of a current or state)."""


class Emit:
    """Sends a packet for each entry of a spike's fan-out, to the tiles or the host.

    `idle` is `emit.idle`: the spike queue, B and C are empty.
    """

    __slots__ = (
        "amount_shifts",
        "b",
        "beat",
        "c_event",
        "c_packet",
        "event_shifts",
        "graded",
        "head",
        "idle",
        "memory",
        "others",
        "packet_shifts",
        "round",
        "signed",
        "slots",
        "targets",
        "value_mask",
    )

    def __init__(self, config: FabricConfig) -> None:
        self.slots = config.slots
        at = offsets(config.event)
        self.event_shifts = at["route"], at["connection"], at["index"], at["slot"]
        self.signed, self.graded = config.signed_spikes, config.graded_bits > 0
        self.amount_shifts = at.get("negative", 0), at.get("magnitude", 0)
        at = offsets(config.host_out)
        self.packet_shifts = at["population"], at["index"], at["value"]
        self.value_mask = (1 << config.state_bits) - 1
        self.targets: list[Target] = [(0, 0, 0)] * config.targets
        # The spike queue; credits keep it from overflowing.
        self.memory: deque[list[Spike]] = deque()
        self.head: Spike | None = None
        self.others: list[Spike] = []  # of the entry at the head, not yet done
        self.beat = self.round = 0
        self.b: Beat | None = None
        # Stage C holds a packed event or a packed packet to the host, never both.
        self.c_event: int | None = None
        self.c_packet: int | None = None
        self.idle = True

    def write_target(
        self, address: int, host: int, route: int, connection: int, delay: int
    ) -> None:
        """Write a row of the target table."""
        route_shift, connection_shift, _, _ = self.event_shifts
        event = route << route_shift | connection << connection_shift
        self.targets[address] = host, delay, event

    def push(self, entry: list[Spike]) -> None:
        """Push the spikes of a row, in order, into the queue; call after `clock`."""
        self.memory.append(entry)
        self.idle = False

    def clock(self, event_taken: bool, host_taken: bool, ahead: int, slot: int) -> bool:
        """Advance by one clock.

        Parameters
        ----------
        event_taken, host_taken
            Whether `emit_event` and `emit_host` transfer from C.
        ahead, slot
            Fields of the command being fired.

        Returns
        -------
        bool
            Whether an entry was popped from the queue.
        """
        # Stage C.
        if event_taken:
            self.c_event = None
        if host_taken:
            self.c_packet = None
        c_free = self.c_event is None and self.c_packet is None

        # Stage B.
        if self.b is not None:
            kind, index, population, value, target = self.b
            late = target is not None and not target[0] and target[1] > ahead
            if c_free:
                self.b = None
                if not late:
                    if target is None or target[0]:
                        self.c_packet = self._packet(kind, population, index, value)
                    else:
                        _, delay, event = target
                        _, _, index_shift, slot_shift = self.event_shifts
                        due = (slot + delay) % self.slots
                        event |= self._amount(value)
                        self.c_event = event | index << index_shift | due << slot_shift

        # Stage A.
        popped = False
        head = self.head
        if head is not None and self.b is None:
            routed = head.fan_out if head.spiked else 0
            currents = head.readout and head.currents
            if self.beat < routed:
                target = self.targets[head.target_base + self.beat]
                amount = head.spiked if self.graded else int(self.signed)
                if head.negative:
                    amount = -amount
                self.b = PacketKind.SPIKE, head.index, head.population, amount, target
            elif self.beat == routed and currents:
                self.b = PacketKind.CURRENT, head.index, head.population, head.current, None
            else:
                self.b = PacketKind.STATE, head.index, head.population, head.value, None
            self.beat += 1
            if self.beat == routed and self.round + 1 < head.spiked and not self.graded:
                self.round += 1
                self.beat = 0
            elif self.beat == routed + head.readout + currents:
                popped = not self.others
                self.head = self.others.pop(0) if self.others else None
                self.beat = self.round = 0

        # The spike queue.
        if self.head is None and self.memory:
            self.head, *self.others = self.memory.popleft()
        self.idle = (
            self.head is None
            and self.b is None
            and self.c_event is None
            and self.c_packet is None
            and not self.memory
        )
        return popped

    def _amount(self, value: int) -> int:
        """The fields of an event that counts `value`."""
        negative_shift, magnitude_shift = self.amount_shifts
        negative = (value < 0) << negative_shift if self.signed else 0
        return negative | (abs(value) << magnitude_shift if self.graded else 0)

    def _packet(self, kind: int, population: int, index: int, value: int) -> int:
        """A packed packet to the host."""
        population_shift, index_shift, value_shift = self.packet_shifts
        return (
            kind
            | population << population_shift
            | index << index_shift
            | (value & self.value_mask) << value_shift
        )
