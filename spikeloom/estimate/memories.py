"""Block RAM that a fabric takes on a family of parts: rows and widths as Yosys maps them.

Of the ways to build a memory (large RAM, block RAM, RAM in LUTs, registers) Yosys takes the
cheapest by the costs in its libraries. `cost` follows `memory_libmap` of Yosys.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from spikeloom.boards.board import Board
from spikeloom.golden.link import LinkConfig, identity
from spikeloom.golden.spec import (
    FACTOR_BITS,
    MAX_AGE,
    TRACE_BITS,
    TURNS,
    FabricConfig,
    LoadTarget,
    Port,
    index_bits,
)

REGISTERS = "registers"
NOTES, WRITES = 16, 8
"""Entries of the queues of notes and of changed weights."""


class Ram(NamedTuple):
    """A kind of RAM of a family.

    Parameters
    ----------
    resource
        Its name in a report.
    widths
        Widths of a row that a block can have; each is half as deep as the one before.
    depth
        Rows at the first width.
    cost
        Cost of a block.
    byte
        A memory's width is rounded up to this, at widths of a byte or more.
    scaled
        A block that is not as wide as the first width costs less in proportion.
    one_port
        A block has one address for reading and writing.
    """

    resource: str
    widths: tuple[int, ...]
    depth: int
    cost: int
    byte: int = 1
    scaled: bool = False
    one_port: bool = False


_ICE40 = Ram("bram", (2, 4, 8, 16), 2048, 64)
_SPRAM = Ram("spram", (16,), 16384, 2048, byte=4, one_port=True)
_16K = Ram("bram", (1, 2, 4, 9, 18, 36), 16384, 128, byte=9)
_ECP5_LUTS = Ram("lutram", (4,), 16, 4, byte=4)
_GOWIN_LUTS = Ram("lutram", (4,), 16, 4, byte=4, scaled=True)


def _rams(board: Board) -> tuple[Ram, ...]:
    """The kinds of RAM of a board's part."""
    if board.family.name == "ice40":
        return (_ICE40, _SPRAM) if "spram" in board.family.sites else (_ICE40,)
    return (_16K, _ECP5_LUTS if board.family.name == "ecp5" else _GOWIN_LUTS)


class Memory(NamedTuple):
    """A memory of the hardware: `copies` of `depth` rows of `width` bits."""

    name: str
    width: int
    depth: int
    copies: int = 1


class Blocks(NamedTuple):
    """What a memory is built from: `number` blocks of a resource."""

    resource: str
    number: int


def memories(config: FabricConfig, link: LinkConfig) -> Iterator[Memory]:
    """Every memory of a fabric with its link."""
    tiles = config.tiles
    built = config.built_memories
    for target, (row, rows) in built.items():
        if target.name in ("CONTROL", "RANDOM", "ROUTE", "RULE", "TERM", "CURVE", "LEARN"):
            continue
        if target == LoadTarget.BIAS:
            yield _of_neurons("bias", row.width, config, config.bias_depth)
            continue
        tables = target != LoadTarget.WEIGHT
        depth = 1 << index_bits(rows) if tables else max(2, rows)
        width = row.width
        copies = tiles * (config.fire_lanes if target == LoadTarget.NOISE else 1)
        if target == LoadTarget.WEIGHT and config.sparse_words:
            width = config.lanes * config.weight_bits
            yield Memory("group", row.width - width, max(2, config.sparse_words), tiles)
        yield Memory(target.name.lower(), width, depth, copies)
    banks = config.sum_banks
    yield Memory("sum", config.sum_row.width // banks, max(2, config.sum_words), tiles * banks)
    yield _of_neurons("state", config.state_row.width, config, config.neurons)
    if config.synaptic_current:
        yield _of_neurons("current", config.state_bits, config, config.neurons)
    # Emit's queue keeps a bit more with each entry, and two with each spike.
    width = config.spike_row.width + 1 + 2 * config.fire_lanes
    yield Memory("queue", width, 1 << index_bits(config.queue), tiles)
    if config.plasticity:
        yield from _of_learning(config)
    for width, inputs in _route_tables(config).items():
        yield Memory("route", width, 1 << index_bits(config.routes), inputs)
    yield Memory("command", 1 + config.slot_width, max(2, config.slots))
    yield Memory("received", 8, link.buffer)
    yield Memory("sent", 8, 512)
    yield Memory("identity", 8, len(identity(link, config)))


def _of_learning(config: FabricConfig) -> Iterator[Memory]:
    """The memories of learning; a single rule is in registers."""
    tiles, terms, ages = config.tiles, config.rule_terms, config.rules * (MAX_AGE + 1)
    axons = max(2, config.plastic_axons)
    yield Memory("axon", config.axon_row.width, axons, tiles)
    yield Memory("active", index_bits(config.plastic_axons), axons, tiles)
    yield Memory("trace", TRACE_BITS, max(2, config.neurons), tiles)
    yield Memory("pre_decay", TRACE_BITS + 1, ages, tiles)
    yield Memory("post_decay", TRACE_BITS + 1, ages, tiles)
    yield Memory("curve", FACTOR_BITS, ages, tiles * terms)
    if config.rules > 1:
        yield Memory("rule", config.rule_row.width, config.rules, tiles)
        yield Memory("term", config.term_row.width, config.rules, tiles * terms)
    note = index_bits(config.rules) + index_bits(config.plastic_axons)
    yield Memory("notes", note, NOTES, tiles)
    if not config.two_ports:
        yield Memory("addresses", index_bits(config.weight_words), WRITES, tiles)
        if config.learn_passes == 1:
            yield Memory("words", config.lanes * config.weight_bits, WRITES, tiles)


def _of_neurons(name: str, width: int, config: FabricConfig, rows: int) -> Memory:
    """A memory with a row for each neuron: a bank for each fire lane."""
    lanes = config.fire_lanes
    return Memory(name, width, max(2, -(-rows // lanes)), config.tiles * lanes)


def _route_tables(config: FabricConfig) -> Counter[int]:
    """The number of route tables of each width: one at each input of a router.

    Where packets can only go to the tile itself, synthesis leaves out the RAM for the other four
    outputs, unless the read port reads it.
    """
    whole = config.route_row.width
    widths: Counter[int] = Counter()
    for tile in range(config.tiles if config.tiles > 1 else 0):
        for port in (*config.links(tile), Port.LOCAL):
            further = any(config.neighbour(tile, output) is not None for output in TURNS[port])
            widths[whole if further or config.readable else whole - 1] += 1
    return widths


_NAMES = {"sum": "sums", "state": "states", "bias": "biases"}
"""Memories under the names of `Board.in_luts`."""
_IN_BLOCKS = ("post_decay", "curve")
"""Memories that are never made of LUTs."""


def mapped(memory: Memory, board: Board) -> Blocks:
    """What Yosys builds all copies of a memory from."""
    rom = memory.name == "identity"
    forced = _NAMES.get(memory.name) in board.in_luts
    choices: list[tuple[float, Blocks]] = []
    for ram in _rams(board):
        in_luts = ram.resource == "lutram"
        if (in_luts and (rom or memory.name in _IN_BLOCKS)) or (forced and not in_luts):
            continue
        if ram.one_port and memory.name != "weight":
            continue
        choices.append(min(_ways(memory, ram, rom)))
    if not forced and memory.name not in _IN_BLOCKS:
        bits = memory.width * memory.depth
        choices.append((bits / 8 if rom else bits, Blocks(REGISTERS, bits)))
    cheapest = min(choices, key=lambda choice: choice[0])[1]  # of equals the first
    return Blocks(cheapest.resource, cheapest.number * memory.copies)


def _ways(memory: Memory, ram: Ram, rom: bool) -> Iterator[tuple[float, Blocks]]:
    """Cost and blocks of a memory at each width of a block."""
    for shift, width in enumerate(ram.widths):
        byte = 1 if rom else min(ram.byte, width)
        padded = -(-memory.width // byte) * byte
        banks = -(-memory.depth // (ram.depth >> shift))
        blocks = -(-banks * padded // width)
        cost = ram.cost * (banks * memory.width / width if ram.scaled else blocks)
        # The words of several banks are selected in logic.
        cost += ((banks - 1) * memory.width + (banks if banks > 1 and not rom else 0)) / 2
        # RAM in LUTs is read without a clock; the register behind it counts.
        cost += 4 * (ram.resource == "lutram")
        yield cost, Blocks(ram.resource, blocks)


def blocks(config: FabricConfig, board: Board, link: LinkConfig) -> dict[str, int]:
    """Blocks of each kind of RAM that a fabric with its link takes on a board's part."""
    used: Counter[str] = Counter()
    for memory in memories(config, link):
        resource, number = mapped(memory, board)
        used[resource] += number
    return dict(used)
