"""Output of `info --estimate`: what a network takes on every board."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spikeloom.boards.registry import board, boards
from spikeloom.cli.options import read_events
from spikeloom.cli.output import print_columns, say
from spikeloom.estimate.cells import table
from spikeloom.estimate.clocks import ACTIVITY, MAX_SAMPLES, Counts, assumed
from spikeloom.estimate.estimate import estimates
from spikeloom.events import event_counts
from spikeloom.program import Program


def estimated(program: Program, events: Path | None, board_name: str | None) -> dict[str, Any]:
    """The estimates of a program on all boards or one, as JSON values, and what they assume."""
    chosen = boards().values() if board_name is None else [board(board_name)]
    counts = _counts(program, events)
    source = table()
    return {
        "events": "none" if counts is None else "assumed" if events is None else "given",
        "activity": ACTIVITY if counts is not None and events is None else None,
        "model": {name: source[name] for name in ("commit", "date", "tools")},
        "boards": [
            dataclasses.asdict(result) | {"settings": result.settings}
            for result in estimates(program, chosen, counts)
        ],
    }


def _counts(program: Program, events: Path | None) -> Counts | None:
    """At most `MAX_SAMPLES` samples of the events, or assumed ones; None without an input."""
    network = program.network
    if events is None:
        return assumed(network) if network.inputs else None
    counts = event_counts(network, read_events(events))
    return {name: array[:MAX_SAMPLES] for name, array in counts.items()}


def estimate_lines(values: Mapping[str, Any]) -> list[str]:
    """What the figures are, for people."""
    model = values["model"]
    error = max(result["error"] for result in values["boards"])
    lines = [
        "fits: recompiled, with compile --board NAME; changed, as below",
        f"logic cells: a model of syntheses of {model['date']} ({model['commit']}), of which the "
        f"worst is off by {error:.1%}; RAM and multipliers: exact",
        "MHz: the board's clock; fmax: median of placements of the board's default fabric",
    ]
    if names := sorted({name for result in values["boards"] for name in result["unmeasured"]}):
        lines.append(f"logic cells do not count what was never synthesised: {', '.join(names)}")
    older = sorted({result["fmax_of"] for result in values["boards"] if result["fmax_of"]})
    lines += [f"*: of {text}" for text in older]
    if values["events"] == "assumed":
        lines.append(
            f"clocks: of random events, {values['activity']:.0%} of the axons in each step; "
            "give yours with --events"
        )
    elif values["events"] == "given":
        lines.append(f"clocks: of the events given, of up to {MAX_SAMPLES} samples")
    return lines


def print_estimates(values: Mapping[str, Any]) -> None:
    """Print tables of the boards, of the rows of their memories, and of the layers."""
    results = values["boards"]
    given = values["events"] == "given"
    period = "sample" if given else "step"
    columns = ("fits", "logic cells", *_MEMORIES, "MHz", "fmax", f"clocks/{period}", f"us/{period}")
    print_columns(("board", *columns), [_row(result, given) for result in results])
    for line in estimate_lines(values):
        say(line)
    say("")
    for line in _remedies(results):
        say(line)
    say("")
    names = list(dict.fromkeys(name for result in results for name in result["rows"]))
    print_columns(
        ("rows and options needed", *(name.replace("_", " ") for name in names)),
        [
            (result["board"], *(_pair(result["rows"].get(name)) for name in names))
            for result in results
        ],
    )
    timed = [result for result in results if result["timing"] is not None]
    if timed:
        say("")
        names = [layer["name"] for layer in timed[0]["timing"]["layers"]]
        print_columns(
            ("clocks of a step: add + fire", *names, "all"),
            [
                (
                    result["board"],
                    *(
                        f"{layer['integrate']:,.0f} + {layer['fire']:,.0f}"
                        for layer in result["timing"]["layers"]
                    ),
                    round(result["timing"]["clocks_per_step"], 1),
                )
                for result in timed
            ],
        )


_MEMORIES = ("block RAM", "large RAM")


def _pair(pair: Sequence[int] | None) -> str | None:
    """What is needed of what there is."""
    if pair is None:
        return None
    needed, built = pair
    if isinstance(built, bool):
        return "there" if built else "missing" if needed else "no need"
    return f"{needed:,} of {built:,}"


def _row(result: Mapping[str, Any], given: bool) -> Sequence[Any]:
    used, available, timing = result["used"], result["available"], result["timing"]
    clocks = None
    if timing is not None:
        clocks = timing["clocks_per_step"] * (timing["steps"] if given else 1)
    if result["fits"]:
        fits = "yes" if result["compiled"] else "changed" if result["changes"] else "recompiled"
    else:
        fits = "no"
    return (
        result["board"],
        fits,
        *(
            _pair((used[name], available[name])) if name in used else None
            for name in ("logic_cells", "bram", "spram")
        ),
        result["clock_mhz"],
        f"{result['fmax_mhz']:.1f}{'*' if result['fmax_of'] else ''}",
        None if clocks is None else round(clocks, 1),
        None if clocks is None else round(clocks / result["clock_mhz"], 2),
    )


def _remedies(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each remedy, and the boards that share it."""
    sharing: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        sharing.setdefault(_remedy(result, "NAME"), []).append(result)
    lines = []
    for text, group in sharing.items():
        names = ", ".join(result["board"] for result in group)
        if text and len(group) == 1:
            lines.append(f"{names}: {_remedy(group[0], names)}")
        elif text:
            lines.append(f"{'every board' if len(group) == len(results) else names}: {text}")
    return lines


def _remedy(result: Mapping[str, Any], board: str) -> str:
    """What is short, and what to type for `board`; nothing where `fits` says it all."""
    changes = result["changes"]
    if result["fits"] and not changes:
        return ""
    short = ", ".join(f"{name} {_pair(pair)}" for name, pair in result["short"].items())
    command = f"compile --board {board} {result['settings']}"
    if result["fits"]:
        text = f"{short}; {command}, and build --board {board} with the result"
        coarser = "fraction_bits" in changes
        return f"{text}; without fraction_bits it is quantised anew, coarser" if coarser else text
    if result["narrower"]:
        return f"{short} in the smallest fabric; fits with narrower weights: {command}"
    return f"{short} in the smallest fabric; no change makes it fit"
