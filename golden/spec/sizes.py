"""Sizes and options that a fabric is built with, their ranges, and the sizes that follow."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.plain import PlainIntegers
from spikeloom.golden.spec.numbers import (
    MAX_FRACTION_BITS,
    SPIKES_PER_STEP,
    WEIGHT_BITS,
)
from spikeloom.golden.spec.switches import LAYOUTS
from spikeloom.golden.spec.words import count_bits, index_bits

RANGES = {
    "columns": (1, 8),
    "rows": (1, 8),
    "lanes": (1, 16),
    "fire_lanes": (1, 8),
    "state_bits": (8, 24),
    "sum_bits": (8, 32),
    "neurons": (1, 1 << 16),
    "weight_words": (1, 1 << 24),
    "slots": (1, 16),
    "axons": (1, 1 << 16),
    "populations": (1, 256),
    "connections": (1, 1024),
    "targets": (1, 1024),
    "queue": (1, 1024),
    "counter_bits": (16, 64),
    "routes": (1, 1024),
    "buffer": (3, 16),
    "extent": (1, 256),
    "coordinates": (1, 1 << 16),
    "fraction_bits": (0, MAX_FRACTION_BITS),
    "sparse_words": (0, 1 << 24),
    "bias_rows": (0, 1 << 16),
    "graded_bits": (0, 8),
    "noise_tables": (1, 16),
    "learn_lanes": (0, 16),
    "rules": (1, 8),
    "rule_terms": (1, 2),
    "plastic_axons": (1, 1 << 16),
    "stamp_bits": (8, 16),
}
"""Minimum and maximum of the sizes that are a range."""


NEEDED = {
    "initial_potentials": "neuron_parameters",
    **dict.fromkeys(("learn_lanes", "eligibility", "plastic_kernels", "two_ports"), "plasticity"),
}
"""Options, and the one that each is a part of."""


def wholes(fields: Mapping[str, Any]) -> dict[str, bool]:
    """The options of which some of these fields are a part, unless they are given, too."""
    parts = (whole for part, whole in NEEDED.items() if fields.get(part))
    return {whole: True for whole in parts if whole not in fields}


@dataclass(frozen=True)
class Sizes(PlainIntegers):
    """Sizes and options of a fabric, fixed when the hardware is built.

    Parameters
    ----------
    columns, rows
        Tiles of the mesh, 1..8 each. All sizes below are per tile.
    lanes
        Synapses accumulated per clock, 1..16; also the size of a group of neurons.
    fire_lanes
        Neurons updated per clock, each with multipliers of its own: 1, 2, 4 or 8, of which `lanes`
        is a multiple.
    weight_bits
        Width of a signed weight: 2, 4 or 8.
    state_bits
        Width of a signed membrane potential, 8..24.
    sum_bits
        Width of a signed accumulator, 8..32. The compiler refuses a network whose sums could
        overflow it.
    neurons
        Neurons of a tile, 1..65536.
    weight_words
        Words of `lanes` weights in a tile, 1..2**24.
    slots
        Accumulators per neuron, 1..16: maximum delay + 1, or steps that input may run ahead + 1.
    axons
        Maximum sources (axons of an input, or neurons) of one connection, 1..65536.
    populations, connections, targets
        Rows of the population table, of the table of incoming connections and of the table of
        fan-out entries, 1..256, 1..1024, 1..1024.
    queue
        Depth of the spike queue, `lanes` / `fire_lanes`..1024. Below about that + `fire_clocks` + 3
        fire waits for credits between groups even if nothing spikes.
    counter_bits
        Width of the counters, which wrap, 16..64.
    routes
        Rows of each router's table, 1..1024; unused in a single tile.
    buffer
        Depth of the queue at each input of a router, 3..16; unused in a single tile.
    extent
        Maximum height and width of an image, 1..256. With 1 there are no images, so no
        convolutions: axons and neurons have an index and no position (y, x).
    coordinates
        Rows of the coordinate table, 1..65536; unused without images and sparse matrices.
    synaptic_current
        Neurons can have a synaptic current.
    weight_pairs
        A connection can scale its weights by 2**`weight_bits`, so that two connections make weights
        of twice the width.
    delayed_reset
        A spike can reset its neuron one step late.
    lower_clamp
        The membrane potential can have a lower limit.
    max_spikes
        Maximum spikes per step of a neuron: 1, 3, 7, 15 or 31.
    signed_spikes
        Spikes and input events can be negative.
    graded_bits
        Width of the number of spikes that one event carries, 0..8; at least that of `max_spikes`.
        With 0 every spike is an event of its own.
    fraction_bits
        Maximum shift that makes potentials finer than weights, 0..12.
    neuron_parameters
        Decays, thresholds and reset values can differ from neuron to neuron.
    initial_potentials
        Initial potentials, too, can differ from neuron to neuron; needs `neuron_parameters`.
    traces
        Potentials, and synaptic currents, can be sent to the host after every step.
    sparse_words
        Words of the weight memory that can be sparse, the first ones, 0..2**24; more than
        `weight_words` have no use. With 0 there are no sparse matrices.
    one_to_one
        A connection can have one weight for each source, to the neuron with the same number. Needs
        `lanes` to be a power of two.
    schedules
        Parameters of populations can change from step to step.
    input_gain
        Inputs can be scaled, by a gain of each neuron or channel.
    bias_rows
        With `input_gain`, or `neuron_parameters` and `schedules`, rows of the bias memory,
        1..65536: one for each neuron or channel, times the different gains and parameters that it
        has from step to step. 0: `neurons`. Unused without.
    doubling
        A decay can be negative, down to -4096/4096, so that a potential grows, up to twice a step.
    constant_leak
        Potentials can move toward 0 by a constant.
    refractory
        Neurons can have a refractory period.
    floor_reset
        A potential below a minimum can be reset.
    requantise
        Potentials can be rounded and clipped to few bits.
    adaptive_threshold
        A neuron's spikes can raise its threshold.
    noise
        Neurons can be compared with random numbers added to their potentials.
    noise_tables
        Different kinds and amplitudes of noise, 1..16; unused without `noise`.
    spike_once
        Neurons can be limited to one spike per sample.
    selection
        Of the neurons of a competition that would spike, only the best can be let through.
    plasticity
        Connections can learn. Needs `lanes` to be a power of two.
    learn_lanes
        Synapses that learn at a time, a divisor of `lanes`; needs `plasticity`. A word of weights
        takes `lanes` / `learn_lanes` clocks. 0: `lanes`.
    rules
        Plastic connections of a tile, 1..8; unused, as the next four, without `plasticity`.
    rule_terms
        Terms of a learning rule, 1 or 2.
    plastic_axons
        Sources of all plastic connections of a tile, 1..65536.
    stamp_bits
        Width of the number of a step in which an axon spiked, 8..16: a sample in which the fabric
        learns has at most 2**`stamp_bits` steps.
    quadratic_bounds
        A term can have the factor BETWEEN, which takes one more multiplier in each lane.
    eligibility
        A learning rule can have a plane of eligibilities; needs `plasticity`.
    plastic_kernels
        Convolutions can learn; needs `plasticity`, and `extent` above 1.
    two_ports
        The memory of weights has a port to write beside that to read, so that learning writes words
        while it reads others; needs `plasticity`. Block RAM has one, large RAM of iCE40 UltraPlus
        has not.
    readable
        The fabric has a read port for its memories.
    multipliers
        The decay uses the part's multipliers. Without, it is built from logic and takes one more
        clock.

    Raises
    ------
    SpikeloomError
        A value has the wrong type or is out of range.
    """

    columns: int = 1
    rows: int = 1
    lanes: int = 8
    fire_lanes: int = 1
    weight_bits: int = 8
    state_bits: int = 16
    sum_bits: int = 16
    neurons: int = 256
    weight_words: int = 16384
    slots: int = 4
    axons: int = 1024
    populations: int = 16
    connections: int = 32
    targets: int = 64
    queue: int = 32
    counter_bits: int = 32
    routes: int = 64
    buffer: int = 4
    extent: int = 1
    coordinates: int = 256
    synaptic_current: bool = False
    weight_pairs: bool = False
    delayed_reset: bool = False
    lower_clamp: bool = False
    max_spikes: int = 1
    signed_spikes: bool = False
    graded_bits: int = 0
    fraction_bits: int = 0
    neuron_parameters: bool = False
    initial_potentials: bool = False
    traces: bool = False
    sparse_words: int = 0
    one_to_one: bool = False
    schedules: bool = False
    input_gain: bool = False
    bias_rows: int = 0
    doubling: bool = False
    constant_leak: bool = False
    refractory: bool = False
    floor_reset: bool = False
    requantise: bool = False
    adaptive_threshold: bool = False
    noise: bool = False
    noise_tables: int = 1
    spike_once: bool = False
    selection: bool = False
    plasticity: bool = False
    learn_lanes: int = 0
    rules: int = 1
    rule_terms: int = 2
    plastic_axons: int = 1024
    stamp_bits: int = 16
    quadratic_bounds: bool = False
    eligibility: bool = False
    plastic_kernels: bool = False
    two_ports: bool = False
    readable: bool = False
    multipliers: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                if not isinstance(value, bool):
                    raise SpikeloomError(
                        f"FabricConfig.{field.name} must be True or False, not {value!r}"
                    )
            elif isinstance(value, bool) or not isinstance(value, int):
                raise SpikeloomError(f"FabricConfig.{field.name} must be an integer, not {value!r}")
        if self.max_spikes not in SPIKES_PER_STEP:
            raise SpikeloomError(
                f"FabricConfig.max_spikes must be 1, 3, 7, 15 or 31, not {self.max_spikes}"
            )
        if self.weight_pairs and self.sum_bits < 2 * self.weight_bits:
            raise SpikeloomError(
                f"FabricConfig.sum_bits must be at least {2 * self.weight_bits} with weight_pairs, "
                f"not {self.sum_bits}"
            )
        for name, needed in NEEDED.items():
            if getattr(self, name) and not getattr(self, needed):
                raise SpikeloomError(f"FabricConfig.{name} needs {needed}=True")
        if self.plastic_kernels and not self.images:
            raise SpikeloomError(
                "FabricConfig.plastic_kernels needs images: an extent above 1, not 1"
            )
        if self.weight_bits not in WEIGHT_BITS:
            raise SpikeloomError(
                f"FabricConfig.weight_bits must be 2, 4 or 8, not {self.weight_bits}"
            )
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SpikeloomError(f"FabricConfig.{name} must be {low}..{high}, not {value}")
        if self.graded_bits and self.graded_bits < self.spike_clocks:
            raise SpikeloomError(
                f"FabricConfig.graded_bits must be 0, or at least {self.spike_clocks} with "
                f"max_spikes={self.max_spikes}, not {self.graded_bits}"
            )
        if self.graded_bits and self.doubling:
            raise SpikeloomError(
                "FabricConfig.graded_bits and doubling cannot be built together: in a radix window "
                "an event is one digit; use graded_bits=0"
            )
        for name in ("one_to_one", "plasticity"):
            if getattr(self, name) and self.lanes & self.lanes - 1:
                raise SpikeloomError(
                    f"FabricConfig.lanes must be 1, 2, 4, 8 or 16 with {name}, not {self.lanes}"
                )
        if self.fire_lanes & self.fire_lanes - 1 or self.lanes % self.fire_lanes:
            raise SpikeloomError(
                f"FabricConfig.fire_lanes must be 1, 2, 4 or 8 and divide lanes ({self.lanes}), "
                f"not {self.fire_lanes}"
            )
        if self.learn_lanes and self.lanes % self.learn_lanes:
            raise SpikeloomError(
                f"FabricConfig.learn_lanes must be 0 or divide lanes ({self.lanes}), "
                f"not {self.learn_lanes}"
            )
        if self.fire_lanes > 1 and self.selection:
            raise SpikeloomError(
                "FabricConfig.selection cannot be built with several fire lanes: use fire_lanes=1"
            )
        if self.neurons < self.fire_lanes:
            raise SpikeloomError(
                f"FabricConfig.neurons must be at least fire_lanes ({self.fire_lanes}), "
                f"not {self.neurons}"
            )
        if self.queue < self.group_rows:
            rows = "lanes" if self.fire_lanes == 1 else "lanes / fire_lanes"
            raise SpikeloomError(
                f"FabricConfig.queue must be at least {rows} ({self.group_rows}), not {self.queue}"
            )

    @property
    def tiles(self) -> int:
        """Tiles of the mesh; tile t is in column t mod `columns`, row t div `columns`."""
        return self.columns * self.rows

    @property
    def bias_bits(self) -> int:
        """Width of a signed bias."""
        return max(self.sum_bits, self.state_bits) if self.fraction_bits else self.sum_bits

    @property
    def bias_blocks(self) -> bool:
        """Whether the bias memory can hold other rows of a neuron for other steps."""
        return self.input_gain or (self.neuron_parameters and self.schedules)

    @property
    def bias_depth(self) -> int:
        """Rows of the bias memory: whole rows of its banks."""
        rows = (self.bias_blocks and self.bias_rows) or self.neurons
        return -(-rows // self.fire_lanes) * self.fire_lanes

    @property
    def groups(self) -> int:
        """Groups of `lanes` neurons in a tile."""
        return -(-self.neurons // self.lanes)

    @property
    def group_rows(self) -> int:
        """Rows of `fire_lanes` neurons in a group."""
        return self.lanes // self.fire_lanes

    @property
    def bank_rows(self) -> int:
        """Rows of each bank of a memory with a row per neuron; there are `fire_lanes` banks."""
        return -(-self.neurons // self.fire_lanes)

    @property
    def synapses_learned(self) -> int:
        """Synapses that learn at a time."""
        return self.learn_lanes or self.lanes

    @property
    def learn_passes(self) -> int:
        """Clocks that a word of weights takes to learn: one for each such part of its lanes."""
        return self.lanes // self.synapses_learned

    @property
    def sum_words(self) -> int:
        """Rows of the accumulator memory: `slots` for each group."""
        return self.groups * self.slots

    @property
    def sum_banks(self) -> int:
        """Memories that the accumulators are cut into: a sparse matrix needs one for each lane."""
        return self.lanes if self.sparse_words else 1

    @property
    def index_width(self) -> int:
        """Width of an axon or neuron index in a packet."""
        return index_bits(max(self.axons, self.neurons))

    @property
    def images(self) -> bool:
        """Whether axons and neurons have a position (y, x) besides an index."""
        return self.extent > 1

    @property
    def position(self) -> tuple[tuple[str, int], ...]:
        """The fields of a position; none without images."""
        width = index_bits(self.extent)
        return (("y", width), ("x", width)) if self.images else ()

    @property
    def amount(self) -> tuple[tuple[str, int], ...]:
        """The fields of an event that say what it counts; none where each counts 1."""
        sign = (("negative", 1),) if self.signed_spikes else ()
        return (*sign, ("magnitude", self.graded_bits)) if self.graded_bits else sign

    @property
    def spike_clocks(self) -> int:
        """Clocks that fire takes to count the spikes of a neuron: one for each bit of the count."""
        return count_bits(self.max_spikes)

    @property
    def product_clocks(self) -> int:
        """Latency of a product in fire's pipeline, in clocks."""
        return 1 if self.multipliers else 2

    @property
    def switches(self) -> tuple[str, ...]:
        """Names of the switches that are built, in the order in which they act."""
        return tuple(name for name in LAYOUTS if getattr(self, name))

    @property
    def fire_clocks(self) -> int:
        """Clocks from a neuron entering fire's pipeline to the write of its state."""
        options = 2 * self.synaptic_current + self.lower_clamp
        options += self.signed_spikes + self.spike_clocks
        switches = sum(LAYOUTS[name].clocks for name in self.switches)
        return 4 + self.product_clocks + options + switches

    @property
    def population_width(self) -> int:
        """Width of a population's number: each tile may hold `populations` different ones."""
        return index_bits(self.populations * self.tiles)

    @property
    def slot_width(self) -> int:
        """Width of a slot number, a delay, or a (saturated) number of steps ahead."""
        return index_bits(self.slots)
