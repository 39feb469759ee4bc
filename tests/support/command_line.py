"""The command line, run in this process in a folder of its own."""

import sys
from pathlib import Path
from typing import Any

import pytest

from spikeloom import cli


class Outcome:
    """The result of a command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    def error(self) -> str:
        """The message of a command that was given unusable input."""
        assert self.status == 2
        assert "Traceback" not in self.err
        lines = self.err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("error: ")
        return lines[0].removeprefix("error: ")


class Commands:
    """Runs commands in a folder of their own."""

    def __init__(self, folder: Path, capture: Any, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.capture, self.patch = folder, capture, patch
        # However busy the machine is, a command has no time to say that it is at work.
        patch.setattr("spikeloom.cli.output.PATIENCE", 1e5)

    def __call__(self, *arguments: str) -> Outcome:
        self.patch.setattr(sys, "argv", ["spikeloom", *arguments])
        self.capture.readouterr()
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = self.capture.readouterr()
        # Pipes and files must receive plain lines only.
        assert all(line.isprintable() for line in (out + err).split("\n"))
        return Outcome(status, out, err)

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}
