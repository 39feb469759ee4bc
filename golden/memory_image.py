"""Memory image: a mapped network as the contents of a fabric's memories."""

import dataclasses
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.contents import Contents
from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.random_numbers import later
from spikeloom.golden.spec import FabricConfig, LoadTarget


@dataclass(frozen=True)
class Sender:
    """A population that sends packets; its index in `MemoryImage.senders` is its packet number.

    Parameters
    ----------
    name, size
        The population and its number of neurons, over all tiles.
    recorded
        Its spikes are sent to the host.
    readout
        Its membrane potentials are sent to the host after the last step of a sample.
    max_spikes
        Maximum spikes per step of a neuron.
    signed
        Its spikes have a sign.
    image
        Image shape of its neurons, if packets carry positions.
    trace
        Its membrane potentials are sent after every step.
    currents
        Each of its membrane potentials that is sent is preceded by the neuron's synaptic current.
    """

    name: str
    size: int
    recorded: bool
    readout: bool
    max_spikes: int = 1
    image: ImageShape | None = None
    trace: bool = False
    currents: bool = False
    signed: bool = False


@dataclass(frozen=True)
class Entry:
    """How the host sends the events of an input to one connection.

    Parameters
    ----------
    input
        Name of the input.
    route, connection, delay
        Fields of the host's event words.
    image
        Image shape of the axons, if events carry positions: the index of axon (channel, y, x) is
        its channel. Otherwise the index is the axon's number, at position (0, 0).
    """

    input: str
    route: int
    connection: int
    delay: int
    image: ImageShape | None = None


@dataclass(frozen=True)
class TileImage:
    """Packed rows of every loadable memory of a tile, from row 0 on; further rows are 0.

    Parameters
    ----------
    weights, biases, populations, connections, targets, routes, coordinates
        Rows packed with `FabricConfig.weight_row`, `bias_row`, `population_row`,
        `connection_row`, `target_row`, `route_row`, `coordinate_row`.
    noise, random
        With `noise`, and with `noise` or `plasticity`: packed with `noise_row` and `random_row`.
        The latter is a register, here as it is at the beginning of a run.
    rules, terms, curves, learn
        With `plasticity` only: packed with `rule_row`, `term_row`, `curve_row` and `learn_row`. The
        last is a register.
    """

    weights: tuple[int, ...]
    biases: tuple[int, ...]
    populations: tuple[int, ...]
    connections: tuple[int, ...]
    targets: tuple[int, ...]
    routes: tuple[int, ...]
    coordinates: tuple[int, ...] = ()
    noise: tuple[int, ...] = ()
    random: tuple[int, ...] = ()
    rules: tuple[int, ...] = ()
    terms: tuple[int, ...] = ()
    curves: tuple[int, ...] = ()
    learn: tuple[int, ...] = ()

    @property
    def tables(self) -> dict[LoadTarget, tuple[int, ...]]:
        """The rows of each memory, by target, in the order in which they are written."""
        # LEARN first: a fabric that still learns must not touch weights that are being written.
        tables = {LoadTarget.LEARN: self.learn} if self.learn else {}
        tables |= {
            LoadTarget.WEIGHT: self.weights,
            LoadTarget.BIAS: self.biases,
            LoadTarget.POPULATION: self.populations,
            LoadTarget.CONNECTION: self.connections,
            LoadTarget.TARGET: self.targets,
            LoadTarget.ROUTE: self.routes,
            LoadTarget.COORDINATE: self.coordinates,
        }
        if self.noise:
            tables[LoadTarget.NOISE] = self.noise
        if self.random:
            tables[LoadTarget.RANDOM] = self.random
        if self.learn:
            tables |= {
                LoadTarget.RULE: self.rules,
                LoadTarget.TERM: self.terms,
                LoadTarget.CURVE: self.curves,
            }
        return tables


@dataclass(frozen=True)
class Rows:
    """Packed `rows` of the memory `target` of `tile`, from row `address` on."""

    tile: int
    target: LoadTarget
    address: int
    rows: tuple[int, ...]


@dataclass(frozen=True)
class MemoryImage:
    """The contents of all memories of a fabric.

    Parameters
    ----------
    config
        The fabric that the rows are packed for.
    tiles
        The memories of each tile.
    control
        The control register, packed with `config.control_row`.
    entries
        Every connection from an input.
    senders
        The populations that send packets, by number.
    """

    config: FabricConfig
    tiles: tuple[TileImage, ...]
    control: int
    entries: tuple[Entry, ...]
    senders: tuple[Sender, ...]

    def load_words(self, held: "MemoryImage | None" = None) -> Iterator[int]:
        """Payloads for the load port (`config.load`) that write the image.

        Rows that the image does not have keep their contents: load into a fabric whose memories are
        0, or over an image with no more rows.

        Parameters
        ----------
        held
            What the fabric holds, of equal size: only what differs is written.
        """
        pack = self.config.load.pack
        for piece in self.rows(held):
            fields = {"tile": piece.tile, "target": piece.target}
            for address, data in enumerate(piece.rows, piece.address):
                yield pack({**fields, "address": address, "data": data})
        if held is None or held.control != self.control:
            yield pack({"target": LoadTarget.CONTROL, "data": self.control})

    def rows(self, held: "MemoryImage | None" = None) -> Iterator[Rows]:
        """The rows of every table; with `held`, those that differ from it."""
        for number, tile in enumerate(self.tiles):
            before = held.tiles[number].tables if held else {}
            for target, rows in tile.tables.items():
                if target not in before:
                    yield Rows(number, target, 0, rows)
                    continue
                for start, stop in _different(before[target], rows):
                    yield Rows(number, target, start, rows[start:stop])

    def from_sample(self, number: int) -> "MemoryImage":
        """The image for a run that goes on with sample `number`: with its random numbers."""
        if not any(tile.random for tile in self.tiles):
            return self
        return dataclasses.replace(
            self,
            tiles=tuple(
                dataclasses.replace(tile, random=tuple(later(row, number) for row in tile.random))
                for tile in self.tiles
            ),
        )

    def learning(self) -> "MemoryImage":
        """The image for a run in which plastic connections learn: no input runs ahead."""
        layout = self.config.control_row
        return dataclasses.replace(
            self,
            tiles=tuple(
                dataclasses.replace(tile, learn=(self.config.learn_row.pack({"learning": 1}),))
                for tile in self.tiles
            ),
            control=layout.pack(layout.unpack(self.control) | {"window": 0}),
        )

    def with_traces(self, names: Collection[str]) -> "MemoryImage":
        """The image with `trace` set in the population rows of these populations, if any.

        Raises
        ------
        SpikeloomError
            The fabric was built without traces.
        """
        if not names:
            return self
        if not self.config.traces:
            raise SpikeloomError(
                f"traces of {', '.join(sorted(names))}: the fabric was built without traces; "
                'compile with fabric={"traces": True}, on the command line --set traces=true'
            )
        layout = self.config.population_row
        trace = layout.pack({"trace": 1})

        def traced(packed: int) -> int:
            row = layout.unpack(packed)
            # A row without neurons is of no population.
            chosen = row["neurons"] and self.senders[row["number"]].name in names
            return packed | trace if chosen else packed

        return dataclasses.replace(
            self,
            tiles=tuple(
                dataclasses.replace(tile, populations=tuple(map(traced, tile.populations)))
                for tile in self.tiles
            ),
            senders=tuple(
                dataclasses.replace(node, trace=node.trace or node.name in names)
                for node in self.senders
            ),
        )

    @property
    def sequential(self) -> bool:
        """Whether a sample goes on with what a switch kept in the one before, or eligibilities."""
        if self.planes and any(any(tile.learn) for tile in self.tiles):
            return True
        layout = self.config.population_row
        keeps = [field.name for field in layout.fields if field.name.endswith("_keep")]
        rows = (layout.unpack(row) for tile in self.tiles for row in tile.populations if keeps)
        return any(row[name] for row in rows for name in keeps)

    @property
    def planes(self) -> bool:
        """Whether a learning rule has a plane of eligibilities."""
        if not self.config.eligibility:
            return False
        rows = (self.config.rule_row.unpack(row) for tile in self.tiles for row in tile.rules)
        return any(row["plane"] for row in rows)

    def cleared(self) -> "MemoryImage":
        """The same, but a sample keeps nothing of the sample before."""
        layout = self.config.population_row
        keeps = [field.name for field in layout.fields if field.name.endswith("_keep")]

        def clear(row: int) -> int:
            return layout.pack(layout.unpack(row) | dict.fromkeys(keeps, 0))

        tiles = (
            dataclasses.replace(tile, populations=tuple(map(clear, tile.populations)))
            for tile in self.tiles
        )
        return dataclasses.replace(self, tiles=tuple(tiles))

    def check_fits(self, fabric: FabricConfig, board: str, name: str | None = None) -> None:
        """Check that the image is for the `fabric` of `board`, called `name`; `readable` may
        differ.

        Raises
        ------
        SpikeloomError
            The fabrics differ.
        """
        fabric = dataclasses.replace(fabric, readable=self.config.readable)
        ours, theirs = dataclasses.asdict(self.config), dataclasses.asdict(fabric)
        different = [
            f"{size} {ours[size]} and {theirs[size]}" for size in ours if ours[size] != theirs[size]
        ]
        if different:
            changes = {size: theirs[size] for size in ours if ours[size] != theirs[size]}
            options = " ".join(f"--set {size}={json.dumps(v)}" for size, v in changes.items())
            settings = ", ".join(f"{size}={value}" for size, value in changes.items())
            raise SpikeloomError(
                f"the program and {name or board} differ: {', '.join(different)}; compile it for "
                f"the board: compile --board {board} {options}, or in Python compile(net, "
                f"dataclasses.replace(program.fabric, {settings})); or build the board for it: "
                f"build --board {board} with the program"
            )

    def contents(self, targets: Collection[LoadTarget]) -> Contents:
        """The baked contents of a fabric with `targets`, and always `CONTROL`, built in."""
        return Contents(
            tuple(
                {target: rows for target, rows in tile.tables.items() if target in targets}
                for tile in self.tiles
            ),
            self.control,
        )


def _different(before: tuple[int, ...], after: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """The runs of rows that differ, each from its first row to the row after its last."""
    if before is after:
        return
    changed = np.flatnonzero([old != new for old, new in zip(before, after, strict=True)])
    if changed.size:
        for run in np.split(changed, np.flatnonzero(np.diff(changed) > 1) + 1):
            yield int(run[0]), int(run[-1]) + 1
