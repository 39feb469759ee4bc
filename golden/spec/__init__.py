"""Every width and bit layout of the hardware, derived in one place from `FabricConfig`.

The golden model and the RTL share this package and nothing else: it holds widths and field orders,
and computes nothing of a run. In reading order: `numbers`, `words`, `switches`, `sizes` (what a
fabric is built with), `learning` and `rows` (its memories), `payloads` (its streams), `config` (all
together).
"""

from spikeloom.golden.spec.config import FabricConfig
from spikeloom.golden.spec.learning import Factor, Gate, Rounding
from spikeloom.golden.spec.numbers import (
    AGE_BITS,
    DECAY_BITS,
    DECAY_ONE,
    FACING,
    FACTOR_BITS,
    GAIN_BITS,
    MAX_AGE,
    MAX_FRACTION_BITS,
    MAX_REPEAT,
    NOISE_ROWS,
    NUMBER_BITS,
    RANDOM_BITS,
    REPEAT_BITS,
    RETAIN_BITS,
    RULE_NUMBER_BITS,
    RULE_SHIFTS,
    SPIKES_PER_STEP,
    TILE_COUNTERS,
    TRACE_BITS,
    TREE_FAN_IN,
    TURNS,
    WEIGHT_BITS,
    LoadTarget,
    PacketKind,
    Port,
    ReadTarget,
    Reset,
)
from spikeloom.golden.spec.payloads import LANE_FIELDS
from spikeloom.golden.spec.switches import LAYOUTS, SWITCHES, RefractoryMode, Status, Then
from spikeloom.golden.spec.words import Field, Layout, count_bits, index_bits, layout

__all__ = [
    "AGE_BITS",
    "DECAY_BITS",
    "DECAY_ONE",
    "FACING",
    "FACTOR_BITS",
    "GAIN_BITS",
    "LANE_FIELDS",
    "LAYOUTS",
    "MAX_AGE",
    "MAX_FRACTION_BITS",
    "MAX_REPEAT",
    "NOISE_ROWS",
    "NUMBER_BITS",
    "RANDOM_BITS",
    "REPEAT_BITS",
    "RETAIN_BITS",
    "RULE_NUMBER_BITS",
    "RULE_SHIFTS",
    "SPIKES_PER_STEP",
    "SWITCHES",
    "TILE_COUNTERS",
    "TRACE_BITS",
    "TREE_FAN_IN",
    "TURNS",
    "WEIGHT_BITS",
    "FabricConfig",
    "Factor",
    "Field",
    "Gate",
    "Layout",
    "LoadTarget",
    "PacketKind",
    "Port",
    "ReadTarget",
    "RefractoryMode",
    "Reset",
    "Rounding",
    "Status",
    "Then",
    "count_bits",
    "index_bits",
    "layout",
]
