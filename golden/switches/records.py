"""The switches by name."""

import importlib

from spikeloom.golden.spec import SWITCHES
from spikeloom.golden.switches.switch import Switch


def record(name: str) -> type[Switch]:
    """The switch called `name`. Raises KeyError if there is none."""
    if name not in SWITCHES:
        raise KeyError(name)
    switch: type[Switch] = importlib.import_module(f"spikeloom.golden.switches.{name}").SWITCH
    return switch
