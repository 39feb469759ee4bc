"""Records waveforms: a VCD file as Verilator writes it, or an FST file and save files for it."""

import tempfile
from pathlib import Path

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.sim import runner
from spikeloom.sim.waves.fst import Marks, write_fst
from spikeloom.sim.waves.names import enumerations
from spikeloom.sim.waves.viewers import entries, gtkwave, surfer

FORMATS = (".fst", ".vcd")

_ROOT = ("simulation", "fabric")
"""Where the fabric is in a recording: its instance in the module around it."""


def record(
    image: MemoryImage,
    words: runner.Words,
    start: int,
    stop: int,
    path: Path,
    *,
    marks: Marks,
    verilog: str | None = None,
) -> list[Path]:
    """Run a chunk and write what every signal does in clocks `start` to `stop` - 1.

    Clock n begins at 2n nanoseconds, with the rising edge.

    Parameters
    ----------
    image, words
        As in `runner.run_batch`, one chunk.
    path
        File to write. As `.vcd` it has the names of the Verilog. As `.fst` it has those of the
        hardware description, the states of its state machines by name, and two files beside it:
        `.gtkw` for GTKWave, and `.sucl` for Surfer (`surfer --command-file`).
    marks
        Numbers to show beside the fabric's signals, in an FST file.
    verilog
        Verilog to run instead of that of the fabric.

    Returns
    -------
    The files written.

    Raises
    ------
    SpikeloomError
        The window is empty, the name of the file does not end in one of `FORMATS`, or a file
        cannot be written. Then none is left.
    """
    if path.suffix not in FORMATS:
        raise SpikeloomError(f"waveform: {path} must end in {' or '.join(FORMATS)}")
    try:
        work = tempfile.TemporaryDirectory(prefix=".waves-", dir=path.parent)
    except OSError as error:
        raise SpikeloomError(f"waveform: cannot write {path}: {error.strerror}") from None
    with work as folder:
        recorded = Path(folder) / "recorded.vcd"
        runner.waveform(image.config, image, words, start, stop, recorded, verilog=verilog)
        if path.suffix == ".vcd":
            finished = {path: recorded}
        else:
            finished = _fst(image, recorded, path, start, marks, verilog)
        for target, source in finished.items():
            source.replace(target)
    return list(finished)


def _fst(
    image: MemoryImage,
    recorded: Path,
    path: Path,
    start: int,
    marks: Marks,
    verilog: str | None,
) -> dict[Path, Path]:
    """An FST file and save files beside `recorded`, each by the path it is for."""
    # Other Verilog than that of the fabric, such as a netlist, has other signals.
    states = {} if verilog else enumerations(image.config)
    dump = recorded.with_name("dump.fst")
    top = write_fst(recorded, dump, _ROOT, states, marks)
    listed = list(entries(_ROOT[-1], top, states, tuple(marks)))
    texts = {".gtkw": gtkwave(path.name, 2 * start, listed), ".sucl": surfer(listed)}
    files = {path: dump}
    for suffix, text in texts.items():
        file = recorded.with_name(f"save{suffix}")
        file.write_text(text, encoding="utf-8")
        files[path.with_suffix(suffix)] = file
    return files
