"""`FabricConfig`: sizes, rows and payloads of a fabric, its counters, its probe, and JSON."""

import dataclasses
import json
from dataclasses import dataclass

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec.numbers import TILE_COUNTERS
from spikeloom.golden.spec.payloads import Payloads
from spikeloom.golden.spec.words import Layout, index_bits, layout


@dataclass(frozen=True)
class FabricConfig(Payloads):
    """Sizes and options of a fabric, fixed when the hardware is built, and all that follows.

    `Sizes` documents every parameter with its range; `Rows` has the rows of the memories,
    `Payloads` the payloads of the streams.
    """

    @property
    def counters(self) -> Layout:
        """The counters; they start at 0 on reset and wrap.

        `cycles`: clocks since reset. Then for each tile t, under the name `<counter>.<t>`:
        `synops`: real synapses (no padding) of the segments begun. `spikes`: spikes of neurons.
        `stalls`: clocks in which a group of synapses was ready and had to wait for a group being
        fired. `errors`: events dropped because they name an unused connection or an axon it does
        not have, and packets that no port of the router may take.
        """
        names = [f"{name}.{tile}" for tile in range(self.tiles) for name in TILE_COUNTERS]
        return layout(*((name, self.counter_bits) for name in ("cycles", *names)))

    @property
    def probe(self) -> Layout:
        """What a cycle-by-cycle bench sees of a fabric in one clock.

        For every stream its `valid`, `ready` and `payload`, for every memory `write`, `address`
        and `data`; payload, address and data read as 0 in a clock without valid or write. What
        belongs to tile t has the prefix `t.`. The counters are their values during the clock.
        """
        fields: list[tuple[str, int]] = []

        def stream(name: str, payload: Layout) -> None:
            fields.append((f"{name}.valid", 1))
            fields.append((f"{name}.ready", 1))
            fields.append((f"{name}.payload", payload.width))

        def event(name: str, valid: str, **parts: int) -> None:
            fields.append((f"{name}.{valid}", 1))
            fields.extend((f"{name}.{part}", width) for part, width in parts.items())

        stream("host_in", self.host_in)
        stream("host_out", self.host_out)
        event("fire", "valid", payload=self.fire.width)
        for tile in range(self.tiles):
            for port in self.links(tile):
                stream(f"{tile}.{port.name.lower()}", self.event)
            stream(f"{tile}.event", self.event)
            stream(f"{tile}.emit_event", self.event)
            stream(f"{tile}.emit_host", self.host_out)
            event(f"{tile}.spike", "valid", payload=self.spike.width)
            event(f"{tile}.fetch", "valid", address=index_bits(self.sum_words))
            event(
                f"{tile}.sum",
                "write",
                address=index_bits(self.sum_words),
                data=self.sum_row.width,
            )
            event(f"{tile}.state", "write", address=index_bits(self.neurons), data=self.state_bits)
            if self.synaptic_current:
                event(
                    f"{tile}.current",
                    "write",
                    address=index_bits(self.neurons),
                    data=self.state_bits,
                )
        fields += [(f"counters.{field.name}", field.width) for field in self.counters.fields]
        return layout(*fields)

    def to_json(self) -> str:
        """The configuration as a JSON object, keys in declaration order."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "FabricConfig":
        """The inverse of `to_json`; raises `SpikeloomError` on anything else."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpikeloomError(f"FabricConfig: not JSON ({error})") from None
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            raise SpikeloomError(f"FabricConfig: expected exactly the keys {sorted(names)}")
        return cls(**values)
