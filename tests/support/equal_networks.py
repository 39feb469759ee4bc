"""Whether two networks are the same."""

import dataclasses

import numpy as np

from spikeloom.golden.network import Network


def network_equal(first: Network, second: Network) -> bool:
    """Whether two networks have the same names and parameters."""

    def plain(network: Network) -> object:
        return _plain(dataclasses.asdict(network))

    return bool(plain(first) == plain(second))


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.shape, value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
