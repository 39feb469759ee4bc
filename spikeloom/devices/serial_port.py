"""Opens serial ports."""

import contextlib
import importlib
import os
from typing import Any

from spikeloom.golden.errors import SpikeloomError


def open_port(port: str, baud: int, timeout: float) -> Any:
    """The port, as a pyserial object."""
    try:
        serial = importlib.import_module("serial")
    except ImportError:
        raise SpikeloomError("pyserial is missing: pip install 'spikeloom[boards]'") from None
    try:
        line = serial.Serial(port, baud, timeout=timeout, exclusive=True)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else error
        raise SpikeloomError(f"cannot open {port} at {baud} baud: {reason}") from None
    # Some adapters hold received bytes back to collect more; turn that off where possible.
    with contextlib.suppress(AttributeError, NotImplementedError, OSError, ValueError):
        line.set_low_latency_mode(True)
    return line
