"""The command line. Exit status: 0 success, 1 mismatch or faulty device, 2 unusable input.

130 after Ctrl-C, as usual.
"""

import contextlib
import io
import os
import sys
import warnings

import click

from spikeloom.cli.commands import Commands
from spikeloom.cli.output import Terminal, plain
from spikeloom.golden.errors import FaultyDevice, SpikeloomError, SpikeloomWarning
from spikeloom.golden.progress import watched
from spikeloom.interrupts import INTERRUPTED

_STATUS = """\b
Exit status:
  0    the command kept its promise
  1    a mismatch, or a faulty device
  2    an input, an option or a tool that cannot be used: one line says which, and what to type
  130  Ctrl-C
"""


_HELP = """Spiking networks from NIR to RTL, compared with a golden model on every clock.

\b
Examples:
  spikeloom compile model.nir --dt 1e-3
  spikeloom compare model.loom events.npy --labels labels.npy --float model.nir
  spikeloom COMMAND --help
"""


@click.group(
    cls=Commands,
    help=_HELP,
    epilog=_STATUS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="spikeloom")
def cli() -> None:
    """All commands."""


def main() -> None:
    """Entry point; errors and warnings are one line each on standard error.

    Exit status 2 for anything that a user can cause (`SpikeloomError`, unknown options, a full
    disk), 1 for a `FaultyDevice`, 130 for Ctrl-C.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", SpikeloomWarning)
            warnings.showwarning = _show_warning
            _refuse_empty(sys.argv[1:])
            shown = Terminal()
            with watched(shown), shown.signs_of_life():
                status = cli(standalone_mode=False, obj=shown)
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        status = error.exit_code
    except click.ClickException as error:
        said, message = io.StringIO(), error.format_message()
        error.show(said)
        click.echo(said.getvalue().replace(message, plain(message)), nl=False, err=True)
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        status = INTERRUPTED
    except (SpikeloomError, FaultyDevice) as error:
        click.echo(f"error: {plain(str(error))}", err=True)
        status = 2 if isinstance(error, SpikeloomError) else 1
    except OSError as error:
        click.echo(f"error: {plain(str(error))}", err=True)
        status = 2
        # What could not be written would fail again at exit, with a traceback.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status if isinstance(status, int) else 0)


def _refuse_empty(arguments: list[str]) -> None:
    """Refuse '' as a value, which mostly is a variable of a script that is not set."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if not argument:
            name = before if before.startswith("-") else "an argument"
            raise SpikeloomError(f"{name} is empty: give it a value or leave it out")
        if argument.startswith("--") and argument.find("=") == len(argument) - 1:
            raise SpikeloomError(f"{argument[:-1]} is empty: give it a value or leave it out")


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"warning: {plain(str(message))}", err=True)
