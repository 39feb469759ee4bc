"""The contents of a tile's memories: a network after it was mapped, as the hardware is given it."""

from collections.abc import Iterator
from dataclasses import dataclass

from golden.spec import FabricConfig, LoadTarget


@dataclass(frozen=True)
class Row:
    """Who sits in a row of the population table.

    Parameters
    ----------
    name, size
        The population, and its number of neurons.
    recorded
        Its spikes are sent to the host.
    readout
        Its membrane potentials are sent to the host after the last step of a sample.
    """

    name: str
    size: int
    recorded: bool
    readout: bool


@dataclass(frozen=True)
class Image:
    """Packed rows of every loadable memory, from row 0 on; rows beyond are 0.

    Parameters
    ----------
    config
        The fabric whose layouts the rows have.
    weights, biases, populations, connections, targets
        Rows packed with `config.weight_row`, `bias_row`, `population_row`, `connection_row`,
        `target_row`.
    control
        The control register, packed with `config.control_row`.
    inputs
        For every connection from an input: the input, the connection's number, its delay.
    rows
        Who sits in each row of `populations`.
    """

    config: FabricConfig
    weights: tuple[int, ...]
    biases: tuple[int, ...]
    populations: tuple[int, ...]
    connections: tuple[int, ...]
    targets: tuple[int, ...]
    control: int
    inputs: tuple[tuple[str, int, int], ...]
    rows: tuple[Row, ...]

    def load_words(self) -> Iterator[int]:
        """Payloads for the load port (`config.load`) that write the whole image.

        A memory keeps what it held in rows that the image does not have: load into a fabric fresh
        from reset, or over an image with no more rows.
        """
        load = self.config.load
        tables = {
            LoadTarget.WEIGHT: self.weights,
            LoadTarget.BIAS: self.biases,
            LoadTarget.POPULATION: self.populations,
            LoadTarget.CONNECTION: self.connections,
            LoadTarget.TARGET: self.targets,
            LoadTarget.CONTROL: (self.control,),
        }
        for target, rows in tables.items():
            for address, data in enumerate(rows):
                yield load.pack({"target": target, "address": address, "data": data})
