"""Cycle-level golden model of a tile that learns: the section Learning of `docs/hardware.md`."""

from spikeloom.golden.cycle.fire import Command
from spikeloom.golden.cycle.full_fire import FullFire
from spikeloom.golden.cycle.learn import Learn
from spikeloom.golden.cycle.packing import offsets
from spikeloom.golden.cycle.plastic_integrate import PlasticIntegrate
from spikeloom.golden.cycle.tile import Tile
from spikeloom.golden.spec import FabricConfig, LoadTarget

WRITTEN = ("weight_write", "axon", "trace")
"""What the probe shows of learn's writes."""


class LearningTile(Tile):
    """Integrate, fire, emit and learn, joined."""

    __slots__ = ("learn", "learn_shifts", "word_bits")

    def __init__(self, config: FabricConfig, trace: bool) -> None:
        super().__init__(config, trace)
        assert isinstance(self.fire, FullFire)
        assert isinstance(self.integrate, PlasticIntegrate)
        self.learn = Learn(config, self.fire, self.integrate)
        self.word_bits = config.lanes * config.weight_bits
        at = offsets(config.probe)
        # Of valid or write, address and data in the tile's part of the probe word.
        self.learn_shifts = [
            tuple(at[f"0.{name}.{part}"] - at["0.event.valid"] for part in parts)
            for name, parts in (
                ("weight_read", ("valid", "address", "address")),
                *((name, ("write", "address", "data")) for name in WRITTEN),
            )
        ]

    def busy(self, slot: int) -> bool:
        """Whether any of the blocks is not idle, or an event due in `slot` is pending."""
        return not self.learn.idle or super().busy(slot)

    @property
    def resting(self) -> bool:
        """Whether no register changes until an event or a command arrives."""
        return self.learn.resting and super().resting

    @property
    def progress(self) -> tuple[int, ...]:
        """What changes from time to time in a run that goes on."""
        learn = self.learn
        return *super().progress, learn.t, learn.r, learn.group.g, learn.position

    def weights(self, address: int, loaded: int) -> int:
        """A row of the weight memory in which `loaded` was loaded."""
        return self.learn.packed(address) | loaded >> self.word_bits << self.word_bits

    def write(self, target: LoadTarget, address: int, data: int) -> None:
        """Write a packed row to a memory of the tile."""
        if target in (LoadTarget.RULE, LoadTarget.TERM, LoadTarget.CURVE):
            row = self.row_layouts[target].unpack(data)
            self.learn.memories.write(target, address, row)
        elif target == LoadTarget.LEARN:
            self.learn.load(data)
        else:
            super().write(target, address, data)
            if target == LoadTarget.WEIGHT:
                self.learn.write_weights(address, data)

    def clock(
        self,
        event: int | None,
        fetching: int,
        event_taken: bool,
        host_taken: bool,
        command: Command | None,
    ) -> int:
        """Advance by one clock, as in `Tile.clock`."""
        probe = 0
        if event is not None or command is not None or not super().resting:
            probe = super().clock(event, fetching, event_taken, host_taken, command)
        learn = self.learn
        if learn.resting:
            return probe
        learn.clock()
        if not self.trace:
            return 0
        read = None if learn.read is None else (learn.read, 0)
        accesses = read, learn.written, learn.axon_written, learn.trace_written
        for access, (valid, at_address, at_data) in zip(accesses, self.learn_shifts, strict=True):
            if access is not None:
                address, data = access
                probe |= 1 << valid | address << at_address | data << at_data
        return probe
