"""The command line. Exit status: 0 the promise held, 1 it did not, 2 what was given is unusable."""

import sys

import click

from spikeloom.cli import hardware, programs, runs
from spikeloom.cli.output import plain
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import FaultyDevice


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spikeloom")
def cli() -> None:
    """Spiking networks from NIR to RTL that is proved equal to its golden model."""


for command in (
    *(programs.compile_command, programs.info, hardware.verilog),
    *(runs.sim, runs.run_command, runs.bench_command, runs.compare_command),
    *(hardware.build_command, hardware.flash_command, runs.demo),
):
    cli.add_command(command)


def main() -> None:
    """Entry point: errors are one line on standard error.

    Exit status 2 for a `SpikeloomError`, 1 for a `FaultyDevice`.
    """
    try:
        cli()
    except (SpikeloomError, FaultyDevice) as error:
        click.echo(f"error: {plain(str(error))}", err=True)
        sys.exit(2 if isinstance(error, SpikeloomError) else 1)
