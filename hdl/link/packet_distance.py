"""Packet distance: how far a packet is ahead of the cursor of the host's decoder."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import MASK_POSITIONS, SINGLE_REACH
from spikeloom.golden.spec import FabricConfig, PacketKind
from spikeloom.hdl.common.shapes import struct

SKIP_BITS = 8
"""Bits of the operand of a skip."""


class PacketDistance(wiring.Component):
    """Compares a packet with what the host's decoder expects next, in two stages.

    The first stage subtracts, the second compares.

    Timing: all results are valid `latency` clocks after the inputs, but for `kind`, `distance` and
    `same_population`, which are valid one clock after them, and `packet_position`, which is
    combinational.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    packet : In(config.host_out)
        The packet.
    population : In(config.host_out)
        Current population.
    position : In(y and x)
        Current position in an image, 0 without images.
    cursor : In(index or skip, plus 1)
        Cursor: up to `MASK_POSITIONS` behind the last index, with room for a skip.
    packet_position : Out(y and x)
        Position of the packet in an image.
    kind : Out(PacketKind)
        Kind of the packet.
    distance : Out(cursor plus 1)
        Index of the packet minus cursor, in two's complement.
    same_population : Out(1)
        The packet is of the current population.
    ahead : Out(1)
        It is of the current population and position, and not behind the cursor.
    in_mask : Out(1)
        The distance fits into a mask,
    in_single : Out(1)
        into the code of a single position,
    in_skip : Out(1)
        into one skip.
    exact : Out(1)
        The distance is 0.
    bit : Out(MASK_POSITIONS)
        The bit of the packet in a mask.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        packet = struct(config.host_out)
        cursor_bits = max(config.index_width, SKIP_BITS) + 1
        position_bits = sum(width for _, width in config.position) or 1
        super().__init__(
            {
                "packet": In(packet),
                "population": In(packet["population"].shape),
                "position": In(position_bits),
                "cursor": In(cursor_bits),
                "packet_position": Out(position_bits),
                "kind": Out(PacketKind),
                "distance": Out(cursor_bits + 1),
                "same_population": Out(1),
                "ahead": Out(1),
                "in_mask": Out(1),
                "in_single": Out(1),
                "in_skip": Out(1),
                "exact": Out(1),
                "bit": Out(MASK_POSITIONS),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from a packet to all results."""
        return 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        packet = self.packet
        position = Cat(packet[name] for name, _ in self.config.position)
        m.d.comb += self.packet_position.eq(position)
        same_position = Signal()
        m.d.sync += [
            self.kind.eq(packet.kind),
            self.distance.eq(packet.index - self.cursor),
            self.same_population.eq(packet.population == self.population),
            same_position.eq(self.packet_position == self.position),
        ]
        m.d.sync += [
            self.ahead.eq(self.same_population & same_position & ~self.distance[-1]),
            self.in_mask.eq(self.distance < MASK_POSITIONS),
            self.in_single.eq(self.distance <= SINGLE_REACH),
            self.in_skip.eq(self.distance < 1 << SKIP_BITS),
            self.exact.eq(self.distance == 0),
            self.bit.eq(1 << self.distance[:3]),
        ]
        return m
