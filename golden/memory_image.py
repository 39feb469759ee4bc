"""The contents of a fabric's memories: a network after it was mapped, as hardware is given it."""

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from spikeloom.golden.contents import Contents
from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig, LoadTarget


@dataclass(frozen=True)
class Sender:
    """A population that sends packets; its index in `MemoryImage.senders` is its packet number.

    Parameters
    ----------
    name, size
        The population, and its number of neurons, on however many tiles.
    recorded
        Its spikes are sent to the host.
    readout
        Its membrane potentials are sent to the host after the last step of a sample.
    max_spikes
        Most spikes of a neuron in a step.
    image
        What its neurons are, where they are sent with a place.
    """

    name: str
    size: int
    recorded: bool
    readout: bool
    max_spikes: int = 1
    image: ImageShape | None = None


@dataclass(frozen=True)
class Entry:
    """Where events of an input go: one for every connection from it.

    Parameters
    ----------
    input
        Name of the input.
    route, connection, delay
        What the host puts into the words of its events.
    image
        What the axons are, where events have a place: axon (channel, y, x) has the channel for
        its index. Without, the index is the axon's number and the place (0, 0).
    """

    input: str
    route: int
    connection: int
    delay: int
    image: ImageShape | None = None


@dataclass(frozen=True)
class TileImage:
    """Packed rows of every loadable memory of a tile, from row 0 on; rows beyond are 0.

    Parameters
    ----------
    weights, biases, populations, connections, targets, routes, axes
        Rows packed with `FabricConfig.weight_row`, `bias_row`, `population_row`,
        `connection_row`, `target_row`, `route_row`, `coordinate_row`.
    """

    weights: tuple[int, ...]
    biases: tuple[int, ...]
    populations: tuple[int, ...]
    connections: tuple[int, ...]
    targets: tuple[int, ...]
    routes: tuple[int, ...]
    coordinates: tuple[int, ...] = ()

    @property
    def tables(self) -> dict[LoadTarget, tuple[int, ...]]:
        """The rows of each memory."""
        return {
            LoadTarget.WEIGHT: self.weights,
            LoadTarget.BIAS: self.biases,
            LoadTarget.POPULATION: self.populations,
            LoadTarget.CONNECTION: self.connections,
            LoadTarget.TARGET: self.targets,
            LoadTarget.ROUTE: self.routes,
            LoadTarget.COORDINATE: self.coordinates,
        }


@dataclass(frozen=True)
class MemoryImage:
    """The contents of all memories.

    Parameters
    ----------
    config
        The fabric whose layouts the rows have.
    tiles
        One for each tile.
    control
        The control register, packed with `config.control_row`.
    entries
        Where events of the inputs go.
    senders
        The populations, by number.
    """

    config: FabricConfig
    tiles: tuple[TileImage, ...]
    control: int
    entries: tuple[Entry, ...]
    senders: tuple[Sender, ...]

    def load_words(self) -> Iterator[int]:
        """Payloads for the load port (`config.load`) that write the whole image.

        A memory keeps what it held in rows that the image does not have: load into a fabric fresh
        from reset, or over an image with no more rows.
        """
        pack = self.config.load.pack
        for number, tile in enumerate(self.tiles):
            for target, rows in tile.tables.items():
                for address, data in enumerate(rows):
                    yield pack({"tile": number, "target": target, "address": address, "data": data})
        yield pack({"target": LoadTarget.CONTROL, "data": self.control})

    def check_fits(self, fabric: FabricConfig, name: str) -> None:
        """Raise `SpikeloomError` where `name` has another `fabric` than the image is for.

        Whether memories can be read is nothing to an image.
        """
        fabric = dataclasses.replace(fabric, readable=self.config.readable)
        ours, theirs = dataclasses.asdict(self.config), dataclasses.asdict(fabric)
        different = [
            f"{size} {ours[size]} and {theirs[size]}" for size in ours if ours[size] != theirs[size]
        ]
        if different:
            raise SpikeloomError(
                f"the program and {name} differ: {', '.join(different)}; compile it for the board"
            )

    def contents(self, targets: Collection[LoadTarget]) -> Contents:
        """What a fabric starts with if `targets`, and always `CONTROL`, are built into it."""
        return Contents(
            tuple(
                {target: rows for target, rows in tile.tables.items() if target in targets}
                for tile in self.tiles
            ),
            self.control,
        )
