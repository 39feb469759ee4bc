"""The command `spikeloom`, which is also `python -m spikeloom`."""

import importlib

from spikeloom.interrupts import ending_at_once


def main() -> None:
    """Entry point of `spikeloom.cli`, quiet about Ctrl-C from the first import on."""
    with ending_at_once():
        cli = importlib.import_module("spikeloom.cli")
    cli.main()


if __name__ == "__main__":
    main()
