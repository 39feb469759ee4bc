"""The commands, each imported when it is used."""

import importlib

import click

from spikeloom.cli.output import with_levels
from spikeloom.golden.errors import meant
from spikeloom.interrupts import ending_at_once

COMMANDS = {
    "bench": (
        "runs.bench_command",
        "Measure the speed of EVENTS (as for `sim`) on a backend or a board.",
    ),
    "build": ("hardware.build_command", "Build a bitstream for a board."),
    "cache": (
        "storage.cache_command",
        "Show the cache of builds and results, bound its size, or clear it.",
    ),
    "choose": (
        "choosing.choose_command",
        "Choose the widths of weights and states: the least memory within a loss.",
    ),
    "compare": (
        "comparing.compare_command",
        "Compare hardware with the golden model: spikes, states, clocks, synaptic operations.",
    ),
    "compile": (
        "programs.compile_command",
        "Compile a NIR file, or a .net file of lava-dl, into a Program.",
    ),
    "completion": (
        "completion.completion_command",
        "Print the script with which a shell completes commands and options.",
    ),
    "demo": (
        "runs.demo",
        "Run real MNIST digits on the RTL and check everything against the golden model.",
    ),
    "explore": (
        "exploring.explore_command",
        "Try a network with each combination of widths, lanes, tiles, schedules and boards.",
    ),
    "flash": (
        "hardware.flash_command",
        "Write the bitstream in DIRECTORY, made by `build`, to a board.",
    ),
    "info": (
        "programs.info",
        "Show the contents of a Program, its resources, and its quantisation.",
    ),
    "report": (
        "reporting.report_command",
        "Write a page that shows a program and what it does on EVENTS (as for `sim`).",
    ),
    "run": (
        "runs.run_command",
        "Run EVENTS (as for `sim`) on a board, real or virtual, and print a summary.",
    ),
    "sim": ("runs.sim", "Run EVENTS in simulation and print a summary."),
    "verilog": (
        "hardware.verilog",
        "Write the Verilog of a Program's fabric, or of a fabric with the given sizes.",
    ),
    "words": (
        "words.words_command",
        "Write a Program and EVENTS (as for `sim`) as hexadecimal words for your own bench.",
    ),
}
"""Where each command is, in this package, and the first sentence of its help."""


class Commands(click.Group):
    """The commands of `COMMANDS`; help about all of them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group`."""
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name][0].partition(".")
            with ending_at_once():
                home = importlib.import_module(f"spikeloom.cli.{module}")
            command = with_levels(getattr(home, name))
            # Docstrings are raw; this is Click's mark of a paragraph whose lines stay as they are.
            command.help = (command.help or "").replace(r"\b", "\b")
            self.add_command(command, cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See `click.Group`; a name that is mistyped gets a question."""
        if (
            args[0] not in COMMANDS
            and not ctx.resilient_parsing
            and (near := meant(args[0], COMMANDS))
        ):
            ctx.fail(f"No such command '{args[0]}'{near}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Group`."""
        room = formatter.width - 6 - max(map(len, COMMANDS))
        listed = [
            (name, click.Command(name, help=help_).get_short_help_str(room))
            for name, (_, help_) in COMMANDS.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(listed)
