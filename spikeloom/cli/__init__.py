"""The command line. Exit status: 0 success, 1 mismatch or faulty device, 2 unusable input."""

import sys
import warnings

import click

from spikeloom.cli import hardware, programs, runs
from spikeloom.cli.output import plain
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.host import FaultyDevice


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spikeloom")
def cli() -> None:
    """Spiking networks from NIR to RTL, compared with a golden model on every clock."""


for command in (
    *(programs.compile_command, programs.info, hardware.verilog),
    *(runs.sim, runs.run_command, runs.bench_command, runs.compare_command),
    *(hardware.build_command, hardware.flash_command, runs.demo),
):
    cli.add_command(command)


def main() -> None:
    """Entry point; errors and warnings are one line each on standard error.

    Exit status 2 for a `SpikeloomError`, 1 for a `FaultyDevice`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", SpikeloomWarning)
            warnings.showwarning = _show_warning
            cli()
    except (SpikeloomError, FaultyDevice) as error:
        click.echo(f"error: {plain(str(error))}", err=True)
        sys.exit(2 if isinstance(error, SpikeloomError) else 1)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"warning: {plain(str(message))}", err=True)
