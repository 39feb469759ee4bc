"""What is read from the memories of a board that holds an image: which rows, and where."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import Port, ReadTarget


def table_rows(image: MemoryImage) -> Iterator[tuple[ReadTarget, int, list[int]]]:
    """For each table of each tile, the rows that it has from row 0 on, as they are read."""
    config = image.config
    for tile, contents in enumerate(image.tiles):
        inputs = [port.name.lower() for port in (*config.links(tile), Port.LOCAL)]
        for loaded, rows in contents.tables.items():
            target, read = ReadTarget(loaded), list(rows)
            if target == ReadTarget.ROUTE:
                read = [config.route_copies.pack(dict.fromkeys(inputs, row)) for row in rows]
            yield target, tile, read


def neuron_places(
    image: MemoryImage,
) -> Iterator[tuple[str, int, NDArray[np.int64], NDArray[np.int64]]]:
    """Where neurons are: population, tile, neurons of it, and their rows in the memory of states.

    A population lies channel group by channel group, in each place by place: rows of `lanes`.
    """
    config = image.config
    for tile, contents in enumerate(image.tiles):
        for packed in contents.populations:
            row = config.population_row.unpack(packed)
            places = row["height"] * row["width"] if config.images else 1
            channels = row["channels"] if config.images else row["neurons"]
            channel, place = np.indices((channels, places)).reshape(2, -1)
            group, lane = np.divmod(channel, config.lanes)
            yield (
                image.senders[row["number"]].name,
                tile,
                (row["index_base"] + channel) * places + place,
                row["neuron_base"] + (group * places + place) * config.lanes + lane,
            )
