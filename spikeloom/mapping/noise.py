"""Tables of noise: one for each kind and amplitude in a network, the same in every tile."""

from collections.abc import Iterator

from spikeloom.golden.network import Network, Population
from spikeloom.golden.random_numbers import start
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.switches.noise import Noise


def noise_of(population: Population) -> Noise | None:
    """The noise of a population, if it has one."""
    return next((switch for switch in population.switches if isinstance(switch, Noise)), None)


def noises(network: Network) -> list[Noise]:
    """Every kind and amplitude once; the index in this list is the number of its table."""

    def every() -> Iterator[Noise]:
        for population in network.populations:
            for version in population.versions:
                if (noise := noise_of(version)) is not None:
                    yield noise

    return list(dict.fromkeys(every()))


def noise_rows(network: Network, config: FabricConfig) -> tuple[int, ...]:
    """The memory NOISE of each tile."""
    return tuple(
        config.noise_row.pack({"value": int(value)})
        for noise in noises(network)
        for value in noise.table
    )


def random_rows(network: Network, config: FabricConfig) -> tuple[int, ...]:
    """The row RANDOM of each tile at the beginning of a run; none in a fabric that draws none."""
    return (start(network.seed or 0, 0),) if config.noise or config.plasticity else ()
