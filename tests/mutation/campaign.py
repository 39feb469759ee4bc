"""`make mutate`: every mutant of `hdl/`, and what the recordings of the benches say about it.

    python tests/mutation/campaign.py [--cases NAME ...] [--jobs N] [--output FILE] [--document]

A mutant that no recording tells from what is written is given to the prover, which may show that
nothing can. Results of other cases that are in the output file already stay.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
ROOT = TESTS.parent
PATHS = [
    str(ROOT),
    *(
        str(TESTS / name)
        for name in ("support", "", "sim", "hdl", "hdl/core", "hdl/link", "formal")
    ),
]
sys.path[:0] = PATHS

import designs  # noqa: E402
from cases import CASES  # noqa: E402
from replay import Replay  # noqa: E402

from spikeloom.golden.errors import SpikeloomError  # noqa: E402
from spikeloom.sim import toolchain  # noqa: E402

PAGE = ROOT / "docs" / "verification.md"
EQUIVALENT = "equivalent"
MINUTES = 5
"""Time limit of a proof."""

FIRE = ("fire", "fire_lanes", "fire_images")
NEURON = ("neuron", "switches", "signed")
PROVED_IN = {
    "axi.axi_fabric": ("axi_fabric",),
    "core.address_generation": ("address_generation",),
    "core.addresses": FIRE,
    "core.amount": ("amount",),
    "core.banks": FIRE,
    "core.credits": FIRE,
    "core.emit": ("emit",),
    "core.fire": FIRE,
    "core.accumulate": ("integrate", "amount"),
    "core.integrate": ("integrate", "amount"),
    "core.learning.axons": ("axons",),
    "core.learning.kernel_walk": ("kernel_walk",),
    "core.learning.learn": ("learn",),
    "core.learning.synapses": ("synapses",),
    "core.neuron": NEURON,
    "core.noise": ("noise",),
    "core.quick_walk": ("fire_lanes",),
    "core.random_numbers": ("noise",),
    "core.schedule": ("schedule", "fire_lanes"),
    "core.select": ("select", "select_images"),
    "core.spike_rows": ("spike_rows",),
    "core.sums": FIRE,
    "core.switches.plasticity": ("plastic",),
    "core.switches.selection": ("selecting",),
    "core.walk": ("walk",),
    "link.answers": ("answers",),
    "link.checksum": ("checksum",),
    "link.cobs_decoder": ("cobs_decoder",),
    "link.event_codes": ("event_codes",),
    "link.executor": ("executor",),
    "link.frame_reader": ("frame_reader",),
    "link.frame_receiver": ("frame_receiver",),
    "link.frame_sender": ("frame_sender",),
    "link.loader": ("loader",),
    "link.packet_distance": ("result_codes",),
    "link.reader": ("reader",),
    "link.replies": ("replies",),
    "link.result_codes": ("result_codes",),
    "link.row_address": ("loader",),
    "link.uart": ("uart_receiver",),
    "common.queue": ("queue",),
    "mesh.router": ("router",),
    "sequencer": ("sequencer", "quick_sequencer"),
}
"""The components of `miter.py` that have a module; those of other switches are `NEURON`."""

Results = dict[str, str | None]
"""For each mutant the case that kills it, EQUIVALENT, or None."""


def play(name: str, jobs: int, results: Results) -> None:
    """Play the recordings of a case to the mutants that are not killed."""
    case = CASES[name]
    start = time.perf_counter()
    dead = [mutant for mutant, killer in results.items() if killer is not None]
    design = designs.build(case.kind, case.config, case.modules, dead)
    built = time.perf_counter()
    replay = Replay(design, case.record(design))
    recorded = time.perf_counter()
    difference = replay.difference(0)
    if difference is not None:
        raise SystemExit(f"{name}: without a mutant it differs, recording, clock {difference}")
    for mutant in design.mutants:
        results.setdefault(mutant, None)
    left = [mutant for mutant in design.mutants if results[mutant] is None]
    differences = replay.differences([design.mutants[mutant] for mutant in left], jobs)
    for mutant, difference in zip(left, differences, strict=True):
        if difference is not None:
            results[mutant] = name
    killed = sum(difference is not None for difference in differences)
    print(
        f"{name}: {len(design.mutants)} mutants, {len(left)} played, {killed} killed; "
        f"built in {built - start:.0f} s, recorded in {recorded - built:.0f} s, "
        f"played in {time.perf_counter() - recorded:.0f} s",
        flush=True,
    )


def prove(results: Results) -> None:
    """Mark those of the mutants that live of which it is proved that nothing can tell them.

    Every component that has such a mutant must be proved.
    """
    for mutant in [mutant for mutant, case in results.items() if case is None]:
        place = mutant.partition(" in ")[2] if " in core." in mutant else mutant
        module = place.partition(":")[0]
        components = PROVED_IN.get(module, NEURON if module.startswith("core.switches.") else ())
        verdicts = {component: verdict(component, mutant) for component in components}
        if "PASS" in verdicts.values() and set(verdicts.values()) <= {"PASS", "absent"}:
            results[mutant] = EQUIVALENT
        print(f"{verdicts}: {mutant}", flush=True)


def verdict(component: str, mutant: str) -> str:
    """That of `miter.py`."""
    command = [sys.executable, "-W", "ignore", str(HERE / "miter.py"), component, mutant]
    path = {"PYTHONPATH": os.pathsep.join([str(HERE), *PATHS]), "PYTHONSAFEPATH": ""}
    try:
        return str(json.loads(toolchain.run(command, path, minutes=MINUTES))[1])
    except SpikeloomError as error:
        return str(error)


def table(results: Results) -> str:
    """The numbers of each module, in Markdown."""
    modules = {mutant: mutant.partition(":")[0] for mutant in results}
    every = Counter(modules.values())
    equal = Counter(modules[mutant] for mutant, case in results.items() if case == EQUIVALENT)
    alive = Counter(modules[mutant] for mutant, case in results.items() if case is None)
    lines = [
        "| module of `hdl/` | mutants | killed | proved equivalent | left |",
        "|---|---|---|---|---|",
    ]
    for module in sorted(every):
        numbers = every[module], equal[module], alive[module]
        lines.append(row(module.replace(".", "/"), *numbers))
    return "\n".join([*lines, row("all", len(results), equal.total(), alive.total())])


def row(name: str, mutants: int, equivalent: int, alive: int) -> str:
    """A line of the table."""
    return f"| {name} | {mutants} | {mutants - equivalent - alive} | {equivalent} | {alive} |"


def document(results: Results) -> None:
    """Put the table, and the mutants that are left, into the page."""
    left = "\n".join(f"    {mutant}" for mutant, case in results.items() if case is None)
    left = left or "    none"
    begin, end = "<!-- make mutate writes this -->\n", "<!-- until here -->"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    text = f"{before}{begin}\n{table(results)}\n\nLeft:\n\n{left}\n\n{end}{after}"
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=CASES, metavar="NAME")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "mutants.json")
    parser.add_argument("--no-proofs", action="store_true", help="do not run the prover")
    parser.add_argument("--document", action="store_true", help=f"rewrite the table of {PAGE.name}")
    arguments = parser.parse_args()
    output: Path = arguments.output
    results: Results = {}
    if output.exists():
        results = json.loads(output.read_text(encoding="utf-8"))
    output.parent.mkdir(parents=True, exist_ok=True)
    for name in arguments.cases:
        play(name, arguments.jobs, results)
        output.write_text(json.dumps(results, indent=1), encoding="utf-8")
    if not arguments.no_proofs:
        prove(results)
        output.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(table(results))
    if arguments.document:
        document(results)


if __name__ == "__main__":
    main()
