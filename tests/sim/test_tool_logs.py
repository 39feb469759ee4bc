"""A third-party program that fails: one line, which names the file that keeps its log."""

import re
import sys
from pathlib import Path

import pytest

from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import toolchain

FAILS = "print('reading'); print('ERROR: no {0}'); print('more of {0}'); raise SystemExit(1)"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def failed(what: str, directory: Path | None = None) -> str:
    with pytest.raises(SpikeloomError) as caught:
        toolchain.run([sys.executable, "-c", FAILS.format(what)], directory=directory)
    return str(caught.value)


def test_it_is_kept_whole(tmp_path: Path) -> None:
    """The command, what it printed, and the logs that it wrote itself."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "tool.log").write_text("what the tool wrote")
    message = failed("bits", work)
    log = re.search(r" failed: ERROR: no bits; its log is (.+)$", message)
    assert log
    text = Path(log[1]).read_text(encoding="utf-8")
    assert text.startswith(sys.executable)
    assert "reading\nERROR: no bits\nmore of bits\n" in text
    assert text.endswith("tool.log:\nwhat the tool wrote")


def test_only_some_are_kept(root: Path) -> None:
    for number in range(toolchain.LOGS + 3):
        failed(f"bit {number}")
    assert len(list((root / "logs").iterdir())) == toolchain.LOGS


def test_without_room_the_message_has_no_log(root: Path) -> None:
    root.write_text("a file where the cache belongs")
    assert failed("bits").endswith(" failed: ERROR: no bits")
