"""Payloads of the streams inside a fabric and at its ports."""

from spikeloom.golden.spec.rows import Rows
from spikeloom.golden.spec.words import Layout, count_bits, index_bits, layout

LANE_FIELDS = ("spiked", "negative", "value", "current")
"""Fields of a spike that neurons of a row do not share."""


class Payloads(Rows):
    """Payload layouts of the streams of a fabric."""

    @property
    def host_in(self) -> Layout:
        """From the host: an input event, or (`step`) the mark that ends a step's input.

        An event is for axon `index` (at position `y`, `x`) of `connection`, takes `route` from
        tile 0, and is due `ahead` steps after the step being filled. It counts 1, or `magnitude`,
        and less than 0 if `negative`. In a mark, `first`: the step
        is the first of a sample, so every state reads as its initial value; `ahead`: steps of the
        sample that follow, saturated to the field.
        """
        return layout(
            ("step", 1),
            ("first", 1),
            ("ahead", self.slot_width),
            ("route", index_bits(self.routes)),
            ("connection", index_bits(self.connections)),
            ("index", self.index_width),
            *self.position,
            *self.amount,
        )

    @property
    def host_out(self) -> Layout:
        """To the host: a `PacketKind` and its fields; unused fields are 0.

        With `signed_spikes` or `graded_bits` the `value` of a SPIKE packet is what the spike
        counts.
        """
        return layout(
            ("kind", 2),
            ("population", self.population_width),
            ("index", self.index_width),
            *self.position,
            ("value", self.state_bits, True),
        )

    @property
    def event(self) -> Layout:
        """An event: axon `index` of `connection`, due in `slot`, to all tiles of `route`.

        It counts 1, or `magnitude`, and less than 0 if `negative`.
        """
        return layout(
            ("route", index_bits(self.routes)),
            ("connection", index_bits(self.connections)),
            ("index", self.index_width),
            *self.position,
            *self.amount,
            ("slot", self.slot_width),
        )

    @property
    def fire(self) -> Layout:
        """From the sequencer to the tiles: fire the next phase.

        `restart`: the phase is the first of a step. `first`, `ahead`: as in `host_in`. `last`, with
        several fire lanes: the phase is the last of the step.
        """
        return layout(
            ("restart", 1),
            ("first", 1),
            ("ahead", self.slot_width),
            ("slot", self.slot_width),
            *([("last", 1)] if self.fire_lanes > 1 else []),
        )

    @property
    def spike(self) -> Layout:
        """From fire to emit: a neuron that spiked, or whose potential is to be read out, or both.

        `spiked`: number of spikes, which are negative if `negative`. With `traces` and
        `synaptic_current`, `currents`: the synaptic current, `current`, is read out before the
        potential.
        """
        traced = self.traces and self.synaptic_current
        return layout(
            ("population", self.population_width),
            ("index", self.index_width),
            *self.position,
            ("spiked", self.spike_clocks),
            *([("negative", 1)] if self.signed_spikes else []),
            ("target_base", index_bits(self.targets)),
            ("fan_out", count_bits(self.targets)),
            ("readout", 1),
            *([("currents", 1)] if traced else []),
            ("value", self.state_bits, True),
            *([("current", self.state_bits, True)] if traced else []),
        )

    @property
    def spike_row(self) -> Layout:
        """An entry of the spike queue: with one fire lane `spike`, else a row of neurons.

        The spikes of the fire lanes in `sends`. `index` is that of lane 0; each lane has fields of
        its own, numbered.
        """
        if self.fire_lanes == 1:
            return self.spike
        fields = [(field.name, field.width, field.signed) for field in self.spike.fields]
        return layout(
            *(field for field in fields if field[0] not in LANE_FIELDS),
            ("sends", self.fire_lanes),
            *(
                (f"{name}{lane}", width, signed)
                for lane in range(self.fire_lanes)
                for name, width, signed in fields
                if name in LANE_FIELDS
            ),
        )

    @property
    def load(self) -> Layout:
        """To the load port: write `data` to row `address` of memory `target` of `tile`.

        `target` is a `LoadTarget`.
        """
        depth = max(memory.depth for memory in self.memories.values())
        data = max(memory.row.width for memory in self.memories.values())
        return layout(
            ("tile", index_bits(self.tiles)),
            ("target", 4 if self.noise or self.plasticity else 3),
            ("address", index_bits(depth)),
            ("data", data),
        )

    @property
    def read(self) -> Layout:
        """To the read port: read byte `byte` (0 is the lowest) of row `address` of `target`.

        `target` is a `ReadTarget` of `tile`.
        """
        width = max(memory.row.width for memory in self.readable_memories.values())
        depth = max(memory.depth for memory in self.readable_memories.values())
        return layout(
            ("tile", index_bits(self.tiles)),
            ("target", 4),
            ("address", index_bits(depth)),
            ("byte", index_bits(-(-width // 8))),
        )
