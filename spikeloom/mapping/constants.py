"""Rows of the bias memory: what each neuron has for itself, and channels share where they can."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Parameter, Population
from spikeloom.golden.spec import DECAY_BITS, DECAY_ONE, FabricConfig, Reset
from spikeloom.golden.switches.input_gain import InputGain
from spikeloom.mapping.geometry import positions
from spikeloom.mapping.parts import Part, groups_of, neuron_rows


@dataclass(frozen=True)
class Constants:
    """What the rows of a population hold: a block of rows for each of its different values.

    Parameters
    ----------
    blocks
        The fields of the bias row in each block, with the values of all neurons.
    block
        For each variant, from 0, its block.
    shared
        Each channel has one row in a block, for all its positions.
    fire_lanes
        A block begins at a multiple of this.
    """

    blocks: tuple[dict[str, Integers], ...]
    block: dict[int, int]
    shared: bool
    fire_lanes: int

    def rows(self, part: Part, lanes: int) -> int:
        """Rows of a part in all blocks."""
        places = 1 if self.shared else part.positions
        block = neuron_rows(groups_of(part.size, lanes) * places, part.size, lanes)
        return len(self.blocks) * groups_of(block, self.fire_lanes) * self.fire_lanes


def constants(
    population: Population, channels: int, variants: Iterable[int], config: FabricConfig
) -> Constants:
    """The constants of a population in a fabric.

    Parameters
    ----------
    channels
        Of its image on the fabric.
    variants
        Those that the schedule uses.
    """
    blocks: list[dict[str, Integers]] = []
    numbers = {}
    for variant in sorted(set(variants)):
        columns = _columns(population.at(variant), config)
        same = (n for n, block in enumerate(blocks) if _equal(block, columns))
        numbers[variant] = number = next(same, len(blocks))
        if number == len(blocks):
            blocks.append(columns)
    alike = (_per_channel(channels, values) for block in blocks for values in block.values())
    return Constants(tuple(blocks), numbers, config.images and all(alike), config.fire_lanes)


def packed_block(
    block: dict[str, Integers],
    part: Part,
    image: tuple[int, int, int],
    config: FabricConfig,
    shared: bool,
) -> list[int]:
    """A block's rows of a part: one per channel if `shared`, else one per neuron.

    They end where another block can begin.
    """
    values = [_in_order(v, part, image, config.lanes, shared) for v in block.values()]
    layout = config.bias_row
    rows = [layout.pack(dict(zip(block, row, strict=True))) for row in zip(*values, strict=True)]
    return rows + [0] * (-len(rows) % config.fire_lanes)


def parameters(population: Population, config: FabricConfig) -> dict[str, Parameter]:
    """The fields of the bias row with `neuron_parameters`, else of the population row."""
    subtracts = population.reset in (Reset.SUBTRACT, Reset.RESTORE)
    values: dict[str, Parameter] = {
        "retain": DECAY_ONE - population.decay,
        "threshold": population.threshold,
        "v_reset": population.subtracted if subtracts else population.v_reset,
    }
    if config.initial_potentials:
        values["v_init"] = population.v_init
    if config.synaptic_current and population.synaptic_decay is not None:
        values["retain_synaptic"] = DECAY_ONE - population.synaptic_decay
    return values


def _columns(population: Population, config: FabricConfig) -> dict[str, Integers]:
    """The fields of the bias row, each with the values of all neurons; absent ones are 0."""
    columns = {"bias": population.bias}
    if config.input_gain:
        scales = [switch for switch in population.switches if isinstance(switch, InputGain)]
        gain, offset = (scales[0] if scales else InputGain()).each(population.size)
        columns = {"bias": population.bias * gain + (offset << DECAY_BITS), "gain": gain}
    if config.synaptic_current and population.leak is not None:
        columns["leak"] = population.leak
    if config.neuron_parameters:
        for name, value in parameters(population, config).items():
            columns[name] = np.broadcast_to(value, population.bias.shape)
    return columns


def _equal(block: dict[str, Integers], other: dict[str, Integers]) -> bool:
    return block.keys() == other.keys() and all(
        np.array_equal(values, other[name]) for name, values in block.items()
    )


def _per_channel(channels: int, values: Integers) -> bool:
    """Whether all neurons of each channel have the same value."""
    by_channel = values.reshape(channels, -1)
    return bool((by_channel == by_channel[:, :1]).all())


def _in_order(
    values: Integers, part: Part, image: tuple[int, int, int], lanes: int, shared: bool
) -> list[int]:
    """Values of a part's channels, or neurons, in the order of the memory, with inner padding."""
    chosen = values.reshape(-1, positions(image))[part.start :][: part.size]
    if shared:
        chosen = chosen[:, :1]
    groups = groups_of(part.size, lanes)
    padded = np.zeros((groups * lanes, chosen.shape[1]), np.int64)
    padded[: part.size] = chosen
    # Group by group, position by position; the padding at the end is left out.
    ordered = padded.reshape(groups, lanes, -1).transpose(0, 2, 1).reshape(-1)
    result: list[int] = ordered[: ordered.size - len(padded) + part.size].tolist()
    return result
