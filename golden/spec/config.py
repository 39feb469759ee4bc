"""`FabricConfig`: the whole specification of a fabric, with its counters, probe and JSON form."""

import dataclasses
import json
from dataclasses import dataclass

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec.numbers import TILE_COUNTERS, TRACE_BITS
from spikeloom.golden.spec.payloads import Payloads
from spikeloom.golden.spec.words import Layout, index_bits, layout

MAX_PACKET_BITS = 64
"""Maximum width of `host_out`: hosts handle packets as integers of this width."""


@dataclass(frozen=True)
class FabricConfig(Payloads):
    """Sizes and options of a fabric, and the widths and layouts that follow from them.

    `Sizes` documents every parameter and its range; `Rows` lays out the memories, `Payloads` the
    streams. A packet to the host has at most `MAX_PACKET_BITS`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.host_out.width > MAX_PACKET_BITS:
            parts = ", ".join(f"{field.name} {field.width}" for field in self.host_out.fields)
            raise SpikeloomError(
                f"FabricConfig: a packet to the host (host_out) has {self.host_out.width} bits "
                f"({parts}), and {MAX_PACKET_BITS} is the maximum: reduce tiles, populations, "
                "neurons and axons, extent or state_bits"
            )

    @property
    def counters(self) -> Layout:
        """The counters, which start at 0 on reset and wrap.

        `cycles`: clocks since reset. Then for each tile t, named `<counter>.<t>`: `synops`:
        synapses of the segments begun, padding excluded, once for each bit of a graded event.
        `spikes`: spikes of neurons. `stalls`: clocks in which a group of synapses waited for a
        fetch. `errors`: events dropped because
        their connection is unused or lacks their axon, and packets dropped because their route has
        no valid output. With `plasticity` also `updates`: synapses to which a term of a learning
        rule applied.
        """
        names = [f"{name}.{tile}" for tile in range(self.tiles) for name in self.tile_counters]
        return layout(*((name, self.counter_bits) for name in ("cycles", *names)))

    @property
    def tile_counters(self) -> tuple[str, ...]:
        """The counters of each tile, in order."""
        return (*TILE_COUNTERS, "updates") if self.plasticity else TILE_COUNTERS

    @property
    def probe(self) -> Layout:
        """Every signal of a fabric that a cycle-by-cycle bench compares, in one clock.

        For every stream `valid`, `ready` and `payload`; for every memory `write`, `address` and
        `data`. Payload, address and data are 0 in a clock without valid or write. `sum` has an
        address for each of `sum_banks`, that of lane 0 lowest; `state` and `current` have a bit of
        `write` and data for each fire lane. Signals of tile t have the prefix `t.`. Counters have
        their values during the clock.
        """
        fields: list[tuple[str, int]] = []

        def stream(name: str, payload: Layout) -> None:
            fields.append((f"{name}.valid", 1))
            fields.append((f"{name}.ready", 1))
            fields.append((f"{name}.payload", payload.width))

        def event(name: str, valid: str, lanes: int = 1, **parts: int) -> None:
            fields.append((f"{name}.{valid}", lanes))
            fields.extend((f"{name}.{part}", width) for part, width in parts.items())

        stream("host_in", self.host_in)
        stream("host_out", self.host_out)
        event("fire", "valid", payload=self.fire.width)
        if self.plasticity:
            event("learn", "valid", payload=1)
        for tile in range(self.tiles):
            for port in self.links(tile):
                stream(f"{tile}.{port.name.lower()}", self.event)
            stream(f"{tile}.event", self.event)
            stream(f"{tile}.emit_event", self.event)
            stream(f"{tile}.emit_host", self.host_out)
            event(f"{tile}.spike", "valid", payload=self.spike_row.width)
            event(f"{tile}.fetch", "valid", address=index_bits(self.sum_words))
            event(
                f"{tile}.sum",
                "write",
                address=self.sum_banks * index_bits(self.sum_words),
                data=self.sum_row.width,
            )
            event(
                f"{tile}.state",
                "write",
                self.fire_lanes,
                address=index_bits(self.bank_rows),
                data=self.fire_lanes * self.state_row.width,
            )
            if self.synaptic_current:
                event(
                    f"{tile}.current",
                    "write",
                    self.fire_lanes,
                    address=index_bits(self.bank_rows),
                    data=self.fire_lanes * self.state_bits,
                )
            if self.plasticity:
                word = index_bits(self.weight_words)
                axon, neuron = index_bits(self.plastic_axons), index_bits(self.neurons)
                event(f"{tile}.weight_read", "valid", address=word)
                weights = self.lanes * self.weight_bits
                event(f"{tile}.weight_write", "write", address=word, data=weights)
                event(f"{tile}.axon", "write", address=axon, data=self.axon_row.width)
                event(f"{tile}.trace", "write", address=neuron, data=TRACE_BITS)
        fields += [(f"counters.{field.name}", field.width) for field in self.counters.fields]
        return layout(*fields)

    def to_json(self) -> str:
        """The configuration as a JSON object, keys in declaration order."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "FabricConfig":
        """The configuration that `to_json` wrote.

        Raises
        ------
        SpikeloomError
            The text is no JSON object with exactly these keys, or a value is out of range.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpikeloomError(f"FabricConfig: not JSON ({error})") from None
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            raise SpikeloomError(f"FabricConfig: expected exactly the keys {sorted(names)}")
        return cls(**values)
