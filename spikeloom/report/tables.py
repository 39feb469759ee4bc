"""The tables and figures of a page, as text."""

from collections.abc import Mapping
from typing import Any

from spikeloom.golden.cycle.split import PARTS
from spikeloom.golden.network import Parameter, Population
from spikeloom.golden.spec import Reset
from spikeloom.program import Program, kind_of
from spikeloom.report.records import Contents, Verdict

Table = list[list[str]]

MEANINGS = {
    "footprint": "bytes of memory that the program uses, tables, potentials and sums included",
    "connection_sparsity": "share of the weights that are 0",
    "activation_sparsity": "share of neurons and steps without a spike",
    "synaptic_operations Dense": "per sample, as if every axon were active in every step",
    "synaptic_operations Effective_ACs": "per sample, of active axons and weights other than 0; "
    "an addition each",
    "synaptic_operations Effective_MACs": "likewise, where an axon has several events in a step",
    "classification_accuracy": "share of right answers",
}


def values(program: Program, contents: Contents) -> dict[str, Any]:
    """The values of the template that are tables, cards and sentences."""
    status, verdict, detail = _verdict(contents.verdict)
    return {
        "verdict_class": status,
        "verdict": verdict,
        "verdict_detail": detail,
        "cards": _cards(program, contents),
        "samples_shown": _shown(contents),
        "accuracies": []
        if contents.answers is None
        else [[name, f"{value:.2%}"] for name, value in contents.answers.accuracies.items()],
        "layer_headings": ["Name", "Size", "Phase", "Update", "Reset", "Threshold", "Sent to host"],
        "layers": _layers(program),
        "connection_headings": ["From", "To", "Kind", "Synapses", "Delay, steps"],
        "connections": [
            [
                c.source,
                c.target,
                kind_of(c),
                f"{int(program.network.fan_out(c).sum()):,}",
                str(c.delay),
            ]
            for c in program.network.connections
        ],
        "clock_rows": _clocks(contents),
        "metrics": _metrics(contents),
        **_mapping(program),
        "board": None if contents.build is None else _board(contents.build),
    }


def _verdict(verdict: Verdict) -> tuple[str, str, str]:
    """Class, heading and detail of what was compared."""
    amount = f"{verdict.samples:,} samples, {verdict.steps:,} steps"
    if verdict.backend is None:
        return "", "Golden model only.", f"Nothing was compared with it. {amount}."
    what = "spike, state and clock" if verdict.clocked else "spike and state"
    if verdict.mismatches:
        detail = f"{amount} on {verdict.backend}. First: {verdict.first}."
        return "bad", f"{verdict.mismatches:,} differences.", detail
    return "good", "Equal.", f"Every {what} of {amount} on {verdict.backend}, and none differs."


def _cards(program: Program, contents: Contents) -> list[tuple[str, str, str]]:
    network, verdict = program.network, contents.verdict
    fabric = program.fabric
    cards = [
        ("Samples", f"{verdict.samples:,}", ""),
        ("Steps per sample", f"{verdict.steps // verdict.samples:,}", ""),
        ("Neurons", f"{sum(p.size for p in network.populations):,}", ""),
        ("Synapses", f"{network.synapses:,}", ""),
        ("Weights", f"{network.weight_bits}", "bits"),
        ("Potentials", f"{network.state_bits}", "bits"),
        ("Tiles", f"{fabric.columns} x {fabric.rows}", f"{fabric.lanes} lanes each"),
        ("Memory used", _bytes(contents.metrics["footprint"]), ""),
    ]
    if contents.answers is not None:
        best = contents.answers.accuracies["golden"]
        cards.insert(0, ("Accuracy", f"{best:.2%}", "golden model"))
    if verdict.clocks is not None:
        cards.insert(2, ("Clocks per sample", f"{verdict.clocks / verdict.samples:,.0f}", ""))
    return cards


def _bytes(size: float) -> str:
    return f"{size / 1024:,.1f} KiB" if size < 1 << 20 else f"{size / (1 << 20):,.1f} MiB"


def _shown(contents: Contents) -> str:
    shown, all_samples = len(contents.samples), contents.verdict.samples
    if shown == all_samples:
        return "All samples are here." if shown > 1 else "The only sample is here."
    return f"{shown} of {all_samples:,} samples are here, those with a difference first."


def _layers(program: Program) -> Table:
    rows = [
        [node.name, _size(node.size, node.image), "", "input", "", "", ""]
        for node in program.network.inputs
    ]
    for population in sorted(program.network.populations, key=lambda p: p.phase):
        sent = [
            text
            for text, names in (("spikes", program.record), ("potentials", program.readout))
            if population.name in names and (population.spiking or text != "spikes")
        ]
        rows.append(
            [
                population.name,
                _size(population.size, population.image),
                str(population.phase),
                _update(population),
                _reset(population),
                _range(population.threshold) if population.spiking else "never spikes",
                ", ".join(sent) or "nothing",
            ]
        )
    return rows


def _size(size: int, image: tuple[int, int, int] | None) -> str:
    return f"{size:,}" if image is None else f"{size:,} = {' x '.join(map(str, image))}"


def _update(population: Population) -> str:
    kind = "integrate" if isinstance(population.decay, int) and not population.decay else "leaky"
    kind += ", synaptic current" if population.synaptic_decay is not None else ""
    if population.max_spikes > 1:
        kind += f", up to {population.max_spikes} spikes a step"
    if population.signed:
        kind += ", with a sign"
    return ", ".join([kind, *map(str, population.switches)])


def _reset(population: Population) -> str:
    if not population.spiking:
        return ""
    names = {
        Reset.VALUE: f"to {_range(population.v_reset)}",
        Reset.SUBTRACT: f"subtract {_range(population.subtracted)}",
        Reset.RESTORE: f"subtract {_range(population.subtracted)}, restore",
    }
    text = names.get(population.reset, "none")
    return f"{text}, one step late" if population.delayed_reset else text


def _range(value: Parameter) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    low, high = int(value.min()), int(value.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _clocks(contents: Contents) -> Table:
    sums = contents.clocks.sum(axis=(0, 1, 2))
    total = int(sums.sum())
    rows = [
        [part, f"{int(count):,}", f"{count / total:.1%}"]
        for part, count in zip(PARTS, sums, strict=True)
    ]
    return [*rows, ["all", f"{total:,}", "100.0%"]]


def _mapping(program: Program) -> dict[str, Any]:
    report, fabric = program.plan.report, program.fabric
    names = list(report.available)
    headings = [name.replace("_", " ") for name in names]
    memories = [
        [
            str(tile),
            *(f"{used[name]:,} ({used[name] / report.available[name]:.0%})" for name in names),
        ]
        for tile, used in enumerate(report.used)
    ]
    memories.insert(0, ["available", *(f"{report.available[name]:,}" for name in names)])
    sentence = (
        f"{fabric.tiles} tiles of {fabric.lanes} lanes."
        if fabric.tiles > 1
        else (f"One tile of {fabric.lanes} lanes.")
    )
    if report.links:
        sentence += (
            f" Packets are those expected if every axon and neuron is active in every step; "
            f"{report.routes} routes."
        )
    return {
        "mapping_sentence": sentence,
        "memory_caption": "Rows of each memory that each tile uses",
        "memory_headings": ["Tile", *headings],
        "memories": memories,
        "links": [[str(link.tile), link.port, f"{link.packets:,.1f}"] for link in report.links],
    }


def _metrics(contents: Contents) -> Table:
    metrics = contents.metrics
    figures: dict[str, str] = {
        "footprint": f"{metrics['footprint']:,.0f}",
        "connection_sparsity": f"{metrics['connection_sparsity']:.4f}",
        "activation_sparsity": f"{metrics['activation_sparsity']:.4f}",
    }
    operations: Mapping[str, float] = metrics["synaptic_operations"]
    for name in ("Dense", "Effective_ACs", "Effective_MACs"):
        figures[f"synaptic_operations {name}"] = f"{operations[name]:,.1f}"
    if contents.answers is not None:
        accuracy = contents.answers.accuracies["golden"]
        figures["classification_accuracy"] = f"{accuracy:.4f}"
    return [[name, figure, MEANINGS[name]] for name, figure in figures.items()]


def _board(build: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a build, in tables."""
    fmax = build["fmax_mhz"]
    path = build.get("critical_path", [])
    return {
        "cards": [
            ("Board", build["board"], ""),
            ("Clock", f"{build['clock_mhz']:.2f}", "MHz"),
            ("Reached, best of " + str(len(fmax["seeds"])), f"{fmax['best']:.2f}", "MHz"),
            *([("Critical path", f"{sum(p['delay_ns'] for p in path):.2f}", "ns")] if path else []),
        ],
        "resources": [
            [
                name.replace("_", " "),
                f"{count['used']:,}",
                f"{count['available']:,}" if "available" in count else "-",
                f"{count['used'] / count['available']:.0%}" if count.get("available") else "-",
            ]
            for name, count in build["resources"].items()
        ],
        "seeds": [[seed, f"{clock:.2f}"] for seed, clock in fmax["seeds"].items()],
        "pins": [[port, pin] for port, pin in build.get("pins", {}).items()],
        "path": [[part["kind"], f"{part['delay_ns']:.2f}", part["to"]] for part in path],
        "tools": [[name, text] for name, text in build["tools"].items()],
    }
