"""The command that writes a run as words for a bench of the user's own: words."""

from pathlib import Path

import click
import numpy as np

from spikeloom.cli.options import EVENTS, JSON, PROGRAM, read_events
from spikeloom.cli.output import say, write_json
from spikeloom.events import event_counts
from spikeloom.files import check_folder, write_files
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import host_words
from spikeloom.golden.progress import task
from spikeloom.golden.spec import PacketKind
from spikeloom.program import Program
from spikeloom.sim.drivers.write import fields


@click.command("words")
@PROGRAM
@EVENTS
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write."
)
@JSON
def words_command(program: Path, events: Path, output: Path, json_path: Path | None) -> None:
    r"""Write a Program and EVENTS (as for `sim`) as hexadecimal words for your own bench.

    OUTPUT gets load.hex, host_in.hex and host_out.hex, one payload a line for $readmemh: what to
    load, what to send, and the packets that the golden model answers. In words.vh are the widths,
    the numbers of lines, the bits of each field (such as 1:0 for HOST_OUT_KIND) and the kinds of
    packets.

    \b
    Example:
      spikeloom words model.loom events.npy -o words
    """
    loaded = Program.load(program)
    counts = event_counts(loaded.network, read_events(events))
    check_folder(output)
    image = loaded.image
    sent = np.concatenate(host_words(image, counts)).tolist()
    model = CycleModel(image.config)
    load = list(image.load_words())
    model.load(image)
    with task("running the golden model"):
        answered = [packet for _, packet in model.run(sent)]
    config = image.config
    payloads = {
        "load": (config.load.width, load),
        "host_in": (config.host_in.width, sent),
        "host_out": (config.host_out.width, answered),
    }
    contents = {f"{name}.hex": _lines(*payload) for name, payload in payloads.items()}
    defines = [
        line
        for name, (width, words) in payloads.items()
        for line in (
            f"`define {name.upper()}_WIDTH {width}",
            f"`define {name.upper()}_WORDS {len(words)}",
        )
    ]
    defines += [
        f"`define {name.upper()}_{field['name'].upper()} {field['low'] + field['width'] - 1}:"
        f"{field['low']}"
        for name in payloads
        for field in fields(getattr(config, name))
    ]
    defines += [f"`define KIND_{kind.name} {kind.value}" for kind in PacketKind]
    contents["words.vh"] = "".join(f"{line}\n" for line in defines)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpikeloomError(f"cannot write {output}: {error.strerror}") from None
    write_files({output / name: text.encode() for name, text in contents.items()})
    values = {
        name: {"width": width, "words": len(words)} for name, (width, words) in payloads.items()
    }
    write_json(json_path, values)
    say(
        f"wrote {output}: {len(load)} words to load, {len(sent)} to send, "
        f"{len(answered)} packets expected"
    )


def _lines(width: int, words: list[int]) -> str:
    """The words, one a line, with as many digits as the width needs."""
    return "".join(f"{word:0{-(-width // 4)}x}\n" for word in words)
