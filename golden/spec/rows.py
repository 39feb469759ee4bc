"""Row layout and depth of each memory: loaded tables, accumulators and neuron states."""

from typing import NamedTuple

from spikeloom.golden.spec.learning import LearningRows
from spikeloom.golden.spec.numbers import (
    GAIN_BITS,
    MAX_AGE,
    NOISE_ROWS,
    NUMBER_BITS,
    RANDOM_BITS,
    REPEAT_BITS,
    RETAIN_BITS,
    LoadTarget,
    Port,
    ReadTarget,
)
from spikeloom.golden.spec.switches import LAYOUTS, STATE, SWITCHES
from spikeloom.golden.spec.words import Layout, count_bits, index_bits, layout


class Memory(NamedTuple):
    """Layout of a row, and the number of rows."""

    row: Layout
    depth: int


class Rows(LearningRows):
    """Row layouts of the memories of a fabric."""

    @property
    def weight_row(self) -> Layout:
        """One word of the weight memory: a weight per lane.

        With `sparse_words` also the group of neurons that each lane's weight leads to, which only a
        sparse matrix uses; those of words from `sparse_words` on are 0.
        """
        weights = ((f"lane{n}", self.weight_bits, True) for n in range(self.lanes))
        groups = ((f"group{n}", index_bits(self.groups)) for n in range(self.lanes))
        return layout(*weights, *(groups if self.sparse_words else ()))

    @property
    def bias_row(self) -> Layout:
        """One row of the bias memory: constants added in every step.

        `bias` is added to a neuron's input; `leak`, with `synaptic_current` only, to its membrane
        potential. With `neuron_parameters` the row also holds the neuron's own values of these
        fields of the population row, which does not have them then; `v_init` is one of them with
        `initial_potentials`.

        With `input_gain`, `bias` is in units of 1/4096 of an input's; `gain`, in units of 1/4096,
        multiplies the neuron's sum.
        """
        leak = [("leak", self.state_bits, True)] if self.synaptic_current else []
        bias = [("bias", self.bias_bits, True)]
        if self.input_gain:
            # An input bias times a gain, plus a potential.
            bits = max(self.bias_bits + GAIN_BITS, self.state_bits + RETAIN_BITS)
            bias = [("bias", bits, True), *SWITCHES["input_gain"].constants]
        if not self.neuron_parameters:
            return layout(*bias, *leak)
        synaptic = [("retain_synaptic", RETAIN_BITS)] if self.synaptic_current else []
        initial = [("v_init", self.state_bits, True)] if self.initial_potentials else []
        return layout(*bias, *leak, self._retain, *synaptic, *self._thresholds, *initial)

    @property
    def _retain(self) -> tuple[str, int]:
        return ("retain", RETAIN_BITS + self.doubling)

    @property
    def _thresholds(self) -> list[tuple[str, int, bool]]:
        return [(name, self.state_bits, True) for name in ("threshold", "v_reset")]

    @property
    def population_row(self) -> Layout:
        """One row of the population table; rows are in firing order.

        A row holds `neurons` neurons (0 allowed) of population `number`, from `index_base` on.
        `neuron_base` is their first row in the state and bias memories, `sum_base` the accumulator
        row of their first group at slot 0. `retain` is 4096 - k. `spiking` neurons compare their
        potential with `threshold` (`inclusive`: >= instead of >). A spike sets the potential to
        `v_reset` or subtracts `v_reset` from it, as `reset` says, and is sent to the `fan_out` rows
        of the target table from `target_base` on. With `readout` the membrane potentials are sent
        after the last step of a sample. `more`: the next row fires in the same phase.

        With images a row holds `channels` channels, from `index_base` on, at each position of a
        `height` x `width` image: channels in groups of `lanes`, and in each group the positions row
        by row. Biases start at `bias_base`; with `shared` each channel has one. A row has
        `bias_base` without images, too, where the fabric has `bias_blocks`. With `noise` also
        `first_number`, the first neuron's number in its population, and `plane`, `height` *
        `width`; both modulo 2**16.

        `synaptic`: the neurons have a synaptic current, of which a step retains
        `retain_synaptic` / 4096. `delayed`: a spike resets one step late. `v_min`: lower limit of
        the potential. `max_spikes`: maximum spikes per step, up to that of the configuration.
        `signed`: a potential below 0 spikes as well, with negative spikes.
        `fraction`: sums are shifted left by so many bits, up to `fraction_bits`. With `trace` the
        potentials are sent after every step; with `currents` each is preceded by its synaptic
        current. Each switch that is built has a bit, and its fields (`SWITCHES`).

        With `schedules`, of the first row of a step: `repeat` further steps of the sample fire the
        same rows, and the one after them begins at row `next`.
        """
        bias_base = ("bias_base", index_bits(self.bias_depth))
        images = [
            ("height", count_bits(self.extent)),
            ("width", count_bits(self.extent)),
            ("channels", count_bits(self.neurons)),
            bias_base,
            ("shared", 1),
            *([("first_number", NUMBER_BITS), ("plane", NUMBER_BITS)] if self.noise else []),
        ]
        shared = not self.neuron_parameters
        synaptic = [("synaptic", 1), ("retain_synaptic", RETAIN_BITS)][: 1 + shared]
        currents = [("currents", 1)] if self.synaptic_current else []
        schedule = [("repeat", REPEAT_BITS), ("next", index_bits(self.populations))]
        return layout(
            *(images if self.images else [bias_base] if self.bias_blocks else []),
            *(synaptic if self.synaptic_current else []),
            *([("delayed", 1)] if self.delayed_reset else []),
            *([("v_min", self.state_bits, True)] if self.lower_clamp else []),
            *([("max_spikes", self.spike_clocks)] if self.max_spikes > 1 else []),
            *([("signed", 1)] if self.signed_spikes else []),
            *([("fraction", count_bits(self.fraction_bits))] if self.fraction_bits else []),
            *(field for name in self.switches for field in self._switch_fields(name)),
            *(schedule if self.schedules else []),
            ("number", self.population_width),
            ("index_base", self.index_width),
            ("neurons", count_bits(self.neurons)),
            ("neuron_base", index_bits(self.neurons)),
            ("sum_base", index_bits(self.sum_words)),
            *([self._retain] if shared else []),
            *(self._thresholds if shared else []),
            *([] if self.initial_potentials else [("v_init", self.state_bits, True)]),
            ("reset", 2),
            ("inclusive", 1),
            ("spiking", 1),
            ("readout", 1),
            *([("trace", 1), *currents] if self.traces else []),
            ("target_base", index_bits(self.targets)),
            ("fan_out", count_bits(self.targets)),
            ("more", 1),
        )

    def _switch_fields(self, name: str) -> list[tuple[str, int, bool]]:
        """The fields of a switch in the population row."""
        if LAYOUTS[name].constants:
            return []
        return [(name, 1, False), *self._named(name, LAYOUTS[name].row)]

    def _named(
        self, switch: str, fields: tuple[tuple[str, int] | tuple[str, int, bool], ...]
    ) -> list[tuple[str, int, bool]]:
        """Fields of a switch with their full names and widths."""
        return [
            (f"{switch}_{name}", self.state_bits if width == STATE else width, bool(signed))
            for name, width, *signed in fields
        ]

    @property
    def connection_row(self) -> Layout:
        """One row of the table of incoming connections.

        A dense matrix adds, for source `index`, weight words `weight_base + index + g * sources` to
        accumulator rows `sum_base + slot + g * slots`, for g in 0..`groups`-1: one segment.
        `synapses` is the number of synapses in those groups, padding excluded. A row with `sources`
        0 is unused.

        With images, `image` marks a convolution: one segment for each pair of a kernel row and a
        kernel column that overlap the source's position (y, x) in `height` x `width`. They are
        given by rows `row_coordinates + y` and `column_coordinates + x` of the coordinate table
        and, if the convolution is `grouped`, `channel_coordinates + index`. `stride` and
        `sum_stride` are the steps from one group of a segment to the next. The next kernel column
        is `column_weights` words ahead and `column_sums` rows back; the next kernel row
        `row_weights` ahead and `row_sums` back.

        `high`: weights are scaled by 2**`weight_bits`.

        `plastic`: spikes of source `index` are noted for rule `rule`, as those of axon `axon_base +
        index`. With `plastic_kernels` and `image`, of a source at (y, x), the axon is `axon_base +
        (y << axon_row) + (x << axon_column) + index`.

        `one_to_one`: source `index`, if it is in `first`..`last`, has the weight in lane `index mod
        lanes` of word `weight_base + index div lanes`, to the same lane of accumulator row
        `sum_base + slot + (index div lanes) * slots`; both wrap, and `groups` must not be 0.

        `sparse` marks a sparse matrix: row `channel_coordinates + index` of the coordinate table
        has the first weight word of the source and their `count`; `groups` must not be 0. The
        hardware does not use `weight_base`, the first word of all, `sum_base` and `synapses`.
        """
        weights = ("weight_base", index_bits(self.weight_words))
        sums = ("sum_base", index_bits(self.sum_words))
        coordinate = index_bits(self.coordinates)
        sparse_alone = self.sparse_words and not self.images
        axon = index_bits(self.axons)
        one_to_one = [("one_to_one", 1), ("first", axon), ("last", axon)]
        plastic = [
            ("plastic", 1),
            ("rule", index_bits(self.rules)),
            ("axon_base", index_bits(self.plastic_axons)),
            *(self.axon_shifts if self.plastic_kernels else []),
        ]
        images = [
            ("image", 1),
            ("grouped", 1),
            ("height", count_bits(self.extent)),
            ("width", count_bits(self.extent)),
            ("row_coordinates", coordinate),
            ("column_coordinates", coordinate),
            ("channel_coordinates", coordinate),
            ("stride", weights[1]),
            ("sum_stride", sums[1]),
            ("row_weights", weights[1]),
            ("column_weights", weights[1]),
            ("row_sums", sums[1]),
            ("column_sums", sums[1]),
        ]
        return layout(
            *(images if self.images else []),
            *(one_to_one if self.one_to_one else []),
            *([("sparse", 1)] if self.sparse_words else []),
            *([("channel_coordinates", coordinate)] if sparse_alone else []),
            *([("high", 1)] if self.weight_pairs else []),
            *(plastic if self.plasticity else []),
            weights,
            ("sources", count_bits(self.axons)),
            sums,
            ("groups", count_bits(self.groups)),
            ("synapses", count_bits(self.neurons)),
        )

    @property
    def coordinate_row(self) -> Layout:
        """One row of the coordinate table: the targets of one y, x or channel of a source.

        `weight` words and `sum` accumulator rows are added to the bases of the connection. `count`
        is the number of overlapping kernel rows or columns; for a channel, the number of groups in
        a segment, which hold `synapses` synapses. With a count of 0 the event has no targets.

        For a source of a sparse matrix `weight` is its first word, and `count` their number.
        """
        return layout(
            ("weight", index_bits(self.weight_words)),
            ("sum", index_bits(self.sum_words)),
            ("count", count_bits(max(self.extent, self.groups))),
            ("synapses", count_bits(self.neurons)),
        )

    @property
    def target_row(self) -> Layout:
        """One fan-out entry: to the `host`, or to `connection` by `route` after `delay` steps."""
        return layout(
            ("host", 1),
            ("route", index_bits(self.routes)),
            ("connection", index_bits(self.connections)),
            ("delay", self.slot_width),
        )

    @property
    def route_row(self) -> Layout:
        """One row of a router's table: the outputs that packets of this route take."""
        return layout(*((port.name.lower(), 1) for port in Port))

    @property
    def control_row(self) -> Layout:
        """The control register: last phase of a step, and steps that input may run ahead."""
        return layout(("last_phase", index_bits(self.populations)), ("window", self.slot_width))

    @property
    def sum_row(self) -> Layout:
        """One row of the accumulator memory: a sum per lane."""
        return layout(*((f"lane{n}", self.sum_bits, True) for n in range(self.lanes)))

    @property
    def kept_row(self) -> Layout:
        """What the switches keep of a neuron from step to step."""
        return layout(
            *(field for name in self.switches for field in self._named(name, LAYOUTS[name].kept))
        )

    @property
    def state_row(self) -> Layout:
        """One row of the state memory: a membrane potential, then the fields of `kept_row`."""
        kept = ((field.name, field.width) for field in self.kept_row.fields)
        return layout(("value", self.state_bits, True), *kept)

    @property
    def current_row(self) -> Layout:
        """One row of the memory of synaptic currents."""
        return layout(("value", self.state_bits, True))

    @property
    def noise_row(self) -> Layout:
        """One row of the tables of noise, which lie one after the other, `NOISE_ROWS` each."""
        return layout(("value", self.state_bits, True))

    @property
    def random_row(self) -> Layout:
        """The register `start`: what random numbers begin with in the next sample."""
        return layout(("start", RANDOM_BITS))

    @property
    def route_copies(self) -> Layout:
        """One row of the route tables of a router as the read port reads them: a byte per port.

        The byte is the row of that input's copy of the table; 0 if the input does not exist.
        """
        return layout(*((port.name.lower(), 8) for port in Port))

    @property
    def memories(self) -> dict[LoadTarget, Memory]:
        """Row layout and depth of every memory that the load port writes.

        Without images and sparse matrices there is no coordinate table: its depth is 0. A single
        tile has no router and ignores words for ROUTE. RANDOM is a register.
        """
        has_coordinates = self.images or self.sparse_words > 0
        memories = {
            LoadTarget.WEIGHT: Memory(self.weight_row, self.weight_words),
            LoadTarget.BIAS: Memory(self.bias_row, self.bias_depth),
            LoadTarget.POPULATION: Memory(self.population_row, self.populations),
            LoadTarget.CONNECTION: Memory(self.connection_row, self.connections),
            LoadTarget.TARGET: Memory(self.target_row, self.targets),
            LoadTarget.CONTROL: Memory(self.control_row, 1),
            LoadTarget.ROUTE: Memory(self.route_row, self.routes),
            LoadTarget.COORDINATE: Memory(
                self.coordinate_row, self.coordinates if has_coordinates else 0
            ),
        }
        if self.noise:
            memories[LoadTarget.NOISE] = Memory(self.noise_row, NOISE_ROWS * self.noise_tables)
        if self.noise or self.plasticity:
            memories[LoadTarget.RANDOM] = Memory(self.random_row, 1)
        if self.plasticity:
            ages = self.rules * (MAX_AGE + 1)
            memories[LoadTarget.RULE] = Memory(self.rule_row, self.rules)
            memories[LoadTarget.TERM] = Memory(self.term_row, self.rules * self.rule_terms)
            memories[LoadTarget.CURVE] = Memory(self.curve_row, ages)
            memories[LoadTarget.LEARN] = Memory(self.learn_row, 1)
        return memories

    @property
    def built_memories(self) -> dict[LoadTarget, Memory]:
        """The entries of `memories` that the fabric has."""
        absent = set()
        if self.tiles == 1:
            absent.add(LoadTarget.ROUTE)
        if not self.images and not self.sparse_words:
            absent.add(LoadTarget.COORDINATE)
        return {target: memory for target, memory in self.memories.items() if target not in absent}

    @property
    def readable_memories(self) -> dict[ReadTarget, Memory]:
        """Row layout and depth of every memory of a tile that the read port reads."""
        built = self.built_memories
        # The hardware decodes them in this order: first the memories that every fabric has.
        memories = {ReadTarget(n): row for n, row in built.items() if n < LoadTarget.CONTROL}
        memories[ReadTarget.SUM] = Memory(self.sum_row, self.sum_words)
        memories[ReadTarget.STATE] = Memory(self.state_row, self.neurons)
        if LoadTarget.ROUTE in built:
            memories[ReadTarget.ROUTE] = Memory(self.route_copies, self.routes)
        if LoadTarget.COORDINATE in built:
            memories[ReadTarget.COORDINATE] = built[LoadTarget.COORDINATE]
        if self.synaptic_current:
            memories[ReadTarget.CURRENT] = Memory(self.current_row, self.neurons)
        return memories
