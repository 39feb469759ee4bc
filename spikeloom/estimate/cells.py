"""Logic cells and multipliers of a fabric: a linear model fitted to earlier syntheses."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from spikeloom.boards.board import Board
from spikeloom.boards.pll import MHZ
from spikeloom.estimate.memories import blocks
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import DECAY_BITS, SWITCHES, FabricConfig, count_bits, index_bits

MULTIPLIER_BITS = {"ice40": 16, "ecp5": 18, "gowin": 18}
"""Width of a factor of a family's multipliers, signed."""

MEASURED: dict[str, str | None] = {
    **dict.fromkeys(("doubling", *SWITCHES), "state_bits"),
    "schedules": None,
    "one_to_one": "lanes",
    "sparse_words": "lanes",
    **dict.fromkeys(("plasticity", "two_ports"), "lanes"),
    **dict.fromkeys(("quadratic_bounds", "eligibility"), "synapses_learned"),
    "plastic_kernels": None,
}
"""Options whose cells were measured one by one, and the size that these are in proportion to."""

BESIDE: dict[str, tuple[str, dict[str, Any]]] = {
    **dict.fromkeys(
        ("quadratic_bounds", "eligibility", "two_ports", "learn_lanes"),
        ("plasticity", {"plasticity": True}),
    ),
    "plastic_kernels": ("plastic_images", {"plasticity": True, "extent": 16}),
}
"""Those of them, and `HALF`, that need others: beside what they were measured, and its fields."""

TOGETHER = "switches together"
"""What all switches take beyond the sum of each."""

HALF = "learn_lanes"
"""What learning with half of the lanes takes beyond learning with all, which is less than 0."""


@functools.cache
def table() -> Mapping[str, Any]:
    """The fitted coefficients, and what was measured: see `bench.cells`."""
    text = files("spikeloom.estimate").joinpath("table.json").read_text(encoding="utf-8")
    contents: dict[str, Any] = json.loads(text)
    return contents


def nominal_link(board: Board) -> LinkConfig:
    """The link of a board at its own clock and bit rate, of no particular build."""
    clock = round(board.clock_mhz * MHZ)
    return LinkConfig(board.name, clock, max(1, round(clock / board.baud)))


def features(config: FabricConfig, board: Board, link: LinkConfig) -> dict[str, float]:
    """What the number of cells is linear in: widths of registers, adders and multiplexers.

    Options count by the width of what they add, and everything in a tile times the tiles; an update
    of neurons counts once for each fire lane, which no synthesis of the table has several of. Those
    of `MEASURED`, with what they add to rows and memories, are left to `option_cells`.
    """
    off = {name: type(getattr(config, name))(0) for name in (*MEASURED, HALF)}
    config = dataclasses.replace(config, **off)
    tiles, state = config.tiles, config.state_bits * config.fire_lanes
    synaptic = config.synaptic_current
    addresses = index_bits(config.weight_words) + index_bits(config.sum_words)
    image = sum(field.width for field in config.connection_row.fields[:13]) * config.images
    in_tile = {
        "tile": 1,
        "lanes * sum_bits": config.lanes * config.sum_bits,
        "lanes * weight_bits": config.lanes * config.weight_bits,
        "state_bits": state,
        "addresses": addresses + index_bits(config.neurons),
        "tables": config.connection_row.width - image + config.population_row.width,
        "spike": config.spike_row.width,
        "queue": index_bits(config.queue),
        "delayed_reset": state * config.delayed_reset,
        "synaptic_current": state * synaptic,
        "weight_pairs": config.lanes * config.weight_bits * config.weight_pairs,
        "lower_clamp": state * config.lower_clamp,
        "signed spikes": config.lanes * config.weight_bits * config.signed_spikes,
        "graded events": config.lanes * config.weight_bits * (config.graded_bits > 0),
        "spike count": state * (config.spike_clocks - 1),
        "fraction": config.bias_bits
        * config.fire_lanes
        * count_bits(config.fraction_bits)
        * (config.fraction_bits > 0),
        "neuron_parameters": state * config.neuron_parameters,
        "traces": 1 * config.traces,
        "traced current": state * (config.traces and synaptic),
        "readable": 1 * config.readable,
        "readable rows": sum(m.row.width for m in config.readable_memories.values())
        * config.readable,
        "images": 1 * config.images,
        "image row": image,
        "product in logic": (1 + synaptic) * state * DECAY_BITS * (not config.multipliers),
    }
    inputs = sum(len(config.links(tile)) + 1 for tile in range(tiles)) * (tiles > 1)
    used = blocks(config, board, link)
    return {name: float(value * tiles) for name, value in in_tile.items()} | {
        "link": 1.0,
        "load word": float(config.load.width + config.host_in.width + config.host_out.width),
        "counters": float(config.counter_bits * (1 + len(config.tile_counters) * tiles)),
        "router": float(tiles * (tiles > 1)),
        "router queues": float(inputs * config.event.width * config.buffer),
        "router inputs": float(inputs * config.event.width),
        "lutram": float(used.get("lutram", 0)),
    }


def cells(config: FabricConfig, board: Board, link: LinkConfig) -> float:
    """The estimate of a fabric's logic cells."""
    coefficients = table()["families"][board.family.name]["coefficients"]
    values = features(config, board, link)
    plain = float(sum(coefficients.get(name, 0.0) * value for name, value in values.items()))
    return plain + option_cells(config, board, table()["options"])


def option_cells(config: FabricConfig, board: Board, costs: Mapping[str, Any]) -> float:
    """Logic cells of the options of `MEASURED` that a fabric has.

    Of a family without a measurement they are those of the family that takes the most.

    Parameters
    ----------
    costs
        Cells of each option in a tile of the default sizes, for each family (those of switches
        count for each fire lane); of `TOGETHER`, cells
        for each unit of `delayed_bits`, and of `HALF`, for half of the default lanes.
    """

    def cost(name: str) -> float:
        known = costs.get(name, {})
        return float(known.get(board.family.name, max(known.values(), default=0)))

    total = cost(TOGETHER) * delayed_bits(config) * config.fire_lanes
    total += cost(HALF) * 2 * (config.lanes - config.synapses_learned) / FabricConfig().lanes
    for name in _built(config):
        width = MEASURED[name]
        updates = config.fire_lanes if name in ("doubling", *SWITCHES) else 1
        total += (
            cost(name)
            * updates
            * (getattr(config, width) / getattr(FabricConfig(), width) if width else 1)
        )
    return total * config.tiles


def delayed_bits(config: FabricConfig) -> int:
    """Bits that switches keep of a neuron, times the clocks for which other switches delay them.

    What a switch keeps travels with its neuron through the stages of all others, so several take
    more registers than each alone.
    """
    built = [layout for name, layout in SWITCHES.items() if getattr(config, name)]
    clocks = sum(layout.clocks for layout in built)
    return sum(
        (width or config.state_bits) * (clocks - layout.clocks)
        for layout in built
        for _, width in layout.kept
    )


def _built(config: FabricConfig) -> list[str]:
    without = {name: fields for name, (_, fields) in BESIDE.items()}
    return [
        name
        for name in MEASURED
        if getattr(config, name) and all(getattr(config, need) for need in without.get(name, ()))
    ]


def unmeasured(config: FabricConfig, board: Board) -> tuple[str, ...]:
    """What a fabric has that was never synthesised, so that its cells are not counted."""
    values = features(config, board, nominal_link(board))
    fitted = [name for name, value in values.items() if value and name not in table()["measured"]]
    return (*fitted, *(name for name in _built(config) if name not in table()["options"]))


def multipliers(config: FabricConfig, board: Board) -> int:
    """Multipliers of the part: one or more for each decay, and for a gain of the input; to learn,
    one for each term and synapse of a clock, and for the decays of both traces.
    """
    if not config.multipliers or "dsp" not in board.family.sites:
        return 0
    pieces = -(-config.state_bits // MULTIPLIER_BITS[board.family.name])
    gains = config.input_gain * -(-config.sum_bits // MULTIPLIER_BITS[board.family.name])
    each = config.fire_lanes * ((1 + config.synaptic_current) * pieces + gains)
    in_lane = config.rule_terms + config.quadratic_bounds
    learning = config.plasticity * (2 + config.synapses_learned * in_lane)
    return config.tiles * (each + learning)
