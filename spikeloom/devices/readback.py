"""Which rows of a board's memories to read back, and what they must hold."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import Port, ReadTarget


def table_rows(image: MemoryImage) -> Iterator[tuple[ReadTarget, int, list[int]]]:
    """For each table of each tile, its rows from row 0 on, as the read port returns them."""
    config = image.config
    for tile, contents in enumerate(image.tiles):
        inputs = [port.name.lower() for port in (*config.links(tile), Port.LOCAL)]
        for loaded, rows in contents.tables.items():
            if loaded.name not in ReadTarget.__members__:
                continue  # no port reads them
            target, read = ReadTarget(loaded), list(rows)
            if target == ReadTarget.ROUTE:
                read = [config.route_copies.pack(dict.fromkeys(inputs, row)) for row in rows]
            yield target, tile, read


def neuron_addresses(
    image: MemoryImage,
) -> Iterator[tuple[str, int, NDArray[np.int64], NDArray[np.int64]]]:
    """Where neurons are: population, tile, neuron indices, and their rows in the state memory.

    A population is stored channel group by channel group (`lanes` channels each), and each group
    position by position.
    """
    config = image.config
    for tile, contents in enumerate(image.tiles):
        for packed in contents.populations:
            row = config.population_row.unpack(packed)
            positions = row["height"] * row["width"] if config.images else 1
            channels = row["channels"] if config.images else row["neurons"]
            channel, position = np.indices((channels, positions)).reshape(2, -1)
            group, lane = np.divmod(channel, config.lanes)
            yield (
                image.senders[row["number"]].name,
                tile,
                (row["index_base"] + channel) * positions + position,
                row["neuron_base"] + (group * positions + position) * config.lanes + lane,
            )
