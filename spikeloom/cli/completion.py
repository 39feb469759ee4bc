"""The command that prints how a shell completes commands and options."""

import click
from click.shell_completion import get_completion_class

from spikeloom.cli.output import Terminal

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    r"""Print the script with which a shell completes commands and options.

    \b
    Examples:
      spikeloom completion bash >> ~/.bashrc
      spikeloom completion zsh >> ~/.zshrc
      spikeloom completion fish > ~/.config/fish/completions/spikeloom.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    program = context.find_root().command
    if context.ensure_object(Terminal).tables:
        click.echo(kind(program, {}, "spikeloom", "_SPIKELOOM_COMPLETE").source())
