"""Every width and bit layout of the hardware, derived in one place from `FabricConfig`.

The golden model and the RTL share this package and nothing else: it holds widths and field orders,
and computes nothing of a run. In reading order: `numbers`, `words`, `switches`, `sizes` (what a
fabric is built with), `rows` (its memories), `payloads` (its streams), `config` (all together).
"""

from spikeloom.golden.spec.config import FabricConfig
from spikeloom.golden.spec.numbers import (
    DECAY_BITS,
    DECAY_ONE,
    FACING,
    GAIN_BITS,
    MAX_FRACTION_BITS,
    MAX_REPEAT,
    NOISE_ROWS,
    NUMBER_BITS,
    RANDOM_BITS,
    REPEAT_BITS,
    RETAIN_BITS,
    SPIKES_PER_STEP,
    TILE_COUNTERS,
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
from spikeloom.golden.spec.switches import SWITCHES, RefractoryMode, Status, Then
from spikeloom.golden.spec.words import Field, Layout, count_bits, index_bits, layout

__all__ = [
    "DECAY_BITS",
    "DECAY_ONE",
    "FACING",
    "GAIN_BITS",
    "LANE_FIELDS",
    "MAX_FRACTION_BITS",
    "MAX_REPEAT",
    "NOISE_ROWS",
    "NUMBER_BITS",
    "RANDOM_BITS",
    "REPEAT_BITS",
    "RETAIN_BITS",
    "SPIKES_PER_STEP",
    "SWITCHES",
    "TILE_COUNTERS",
    "TREE_FAN_IN",
    "TURNS",
    "WEIGHT_BITS",
    "FabricConfig",
    "Field",
    "Layout",
    "LoadTarget",
    "PacketKind",
    "Port",
    "ReadTarget",
    "RefractoryMode",
    "Reset",
    "Status",
    "Then",
    "count_bits",
    "index_bits",
    "layout",
]
