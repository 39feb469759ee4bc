"""The windows of the ready-made learning rules, as the golden model measures them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import (
    Rule,
    Trace,
    e_prop,
    first_spike_stdp,
    pair_stdp,
    random_backprop,
    reward_stdp,
    sdsp,
    super_spike,
    table_stdp,
)
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.step.run import simulate

Curve = tuple[Sequence[float], Sequence[float]]
Svg = Callable[[int, int, str, Sequence[str]], str]

WIDTH, HEIGHT, LEFT, TOP = 460, 220, 60, 30
DASHES = ("", "6 4", "2 3")
THRESHOLD = 500


def change(
    rule: Rule,
    weights: Integers,
    pre: Sequence[int | None],
    post: Sequence[int],
    steps: int,
    drive: Sequence[int] | int = 0,
    third: Sequence[int] | int = 0,
) -> Integers:
    """How the weights of one sample change, (axons, neurons).

    Parameters
    ----------
    pre
        The step in which each axon spikes, or None; later than the sample counts as None.
    post
        The steps in which all neurons spike.
    drive
        Their potential in other steps, less what axons add.
    third
        The potential of their neurons of the third population.
    """
    axons, neurons = weights.shape
    bias, error = (np.broadcast_to(np.array(values), neurons) + 0 for values in (drive, third))
    network = Network(
        (Input("pre", axons), Input("post", 1, max_count=8)),
        (
            Population("p", neurons, bias, decay=4096, threshold=THRESHOLD),
            Population("third", neurons, error, decay=4096, spiking=False),
        ),
        (
            Connection("pre", "p", weights, plasticity=rule),
            Connection("post", "p", np.full((1, neurons), 127)),
        ),
        sum_bits=24,
        seed=1,
    )
    spikes = np.zeros((1, steps, axons), np.bool_)
    for axon, step in enumerate(pre):
        if step is not None and step < steps:
            spikes[0, step, axon] = True
    forced = np.zeros((1, steps, 1), np.uint8)
    forced[0, post] = 8
    run = simulate(network, {"pre": spikes, "post": forced}, learn=True)
    return run.weights[0] - weights


def plot(svg: Svg, title: str, x_axis: str, curves: Mapping[str, Curve]) -> str:
    """Curves over their range, with the greatest change of a weight at the left."""
    every_x = [x for xs, _ in curves.values() for x in xs]
    every_y = [0.0, *(y for _, ys in curves.values() for y in ys)]
    low_x, high_x, low_y, high_y = min(every_x), max(every_x), min(every_y), max(every_y)

    def place(x: float, y: float) -> str:
        across = (x - low_x) / (high_x - low_x) * (WIDTH - LEFT - 20)
        down = (high_y - y) / (high_y - low_y) * (HEIGHT - TOP - 60)
        return f"{LEFT + across:.1f},{TOP + down:.1f}"

    parts = []
    for y in sorted({low_y, 0, high_y}):
        height = place(low_x, y).partition(",")[2]
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 20}" y1="{height}" y2="{height}"/>'
        )
        parts.append(f'<text class="name" x="{LEFT - 8}" y="{float(height) + 4:g}">{y:g}</text>')
    for x in sorted({low_x, high_x, *({0} if low_x < 0 < high_x else ())}):
        across = place(x, low_y).partition(",")[0]
        parts.append(f'<text class="mid" x="{across}" y="{HEIGHT - 46}">{x:g}</text>')
    parts.append(f'<text class="mid" x="{(LEFT + WIDTH) / 2:g}" y="{HEIGHT - 30}">{x_axis}</text>')
    parts.append(f'<text x="{LEFT - 52}" y="16">change of the weight</text>')
    for number, (label, (xs, ys)) in enumerate(curves.items()):
        points = " ".join(place(x, y) for x, y in zip(xs, ys, strict=True))
        dashes = f' stroke-dasharray="{DASHES[number]}"' if DASHES[number] else ""
        parts.append(f'<polyline class="line"{dashes} points="{points}"/>')
        x = LEFT + number * (WIDTH - LEFT) // len(curves)
        middle = HEIGHT - 12
        parts.append(
            f'<polyline class="line"{dashes} points="{x},{middle - 4} {x + 26},{middle - 4}"/>'
            f'<text x="{x + 32}" y="{middle}">{label}</text>'
        )
    return svg(WIDTH, HEIGHT, title, parts)


def column(weights: Sequence[int] | int, axons: int) -> Integers:
    """Weights of axons to one neuron."""
    return (np.broadcast_to(np.array(weights), axons) + np.int64(0))[:, np.newaxis]


def pair() -> dict[str, Curve]:
    """Over the time from the source's spike to the target's."""
    distances = range(-40, 41)
    pre = [40 - distance for distance in distances]
    curves = {}
    for label, weight, soft in (
        ("hard", 60, False),
        ("soft, w = 20", 20, True),
        ("w = 100", 100, True),
    ):
        sizes = (0.2, 0.18) if soft else (20.0, 18.0)
        rule = pair_stdp(*sizes, 10, 10, (0, 120), True, bool(soft), rounding="nearest")
        curves[label] = distances, change(rule, column(weight, 81), pre, [40], 81)[:, 0].tolist()
    return curves


def table() -> dict[str, Curve]:
    """Over the age of the source's spike, when the target spikes and 21 steps later."""
    ages = range(1, 22)
    weights = column(0, len(ages))
    rule = table_stdp((-102, 127))
    at_spike = change(rule, weights, [30 - age for age in ages], [30], 31)
    later = change(rule, weights, [51 - age for age in ages], [30], 52)
    return {
        "target spikes": (ages, at_spike[:, 0].tolist()),
        "21 steps later": (ages, later[:, 0].tolist()),
    }


def calcium() -> dict[str, Curve]:
    """Over the potential, at three levels of the calcium."""
    potentials = range(0, 200, 4)
    rule = sdsp(100, (30, 120), (10, 90), Trace((256,) * 63 + (0,), 20), (-100, 100), 2)
    curves = {}
    for spikes in (1, 3, 5):
        drive = [potential - 20 for potential in potentials]
        weights = np.full((1, len(potentials)), 20)
        changes = change(rule, weights, [spikes], range(spikes), spikes + 1, drive)
        curves[f"calcium {20 * spikes}"] = potentials, changes[0].tolist()
    return curves


def first_spike() -> dict[str, Curve]:
    """Over the weight, for axons that spiked before the target and others."""
    weights = range(129)
    rule = first_spike_stdp((0, 128 - 1), 0.4, 0.3, rounding="nearest")
    both = column([*weights[:-1], *weights[:-1]], 256)
    changes = change(rule, both, [3] * 128 + [None] * 128, [5], 6)[:, 0].tolist()
    return {
        "source spiked before": (weights[:-1], changes[:128]),
        "source did not": (weights[:-1], changes[128:]),
    }


def reward() -> dict[str, Curve]:
    """Over the reward."""
    rewards = range(-300, 301, 10)
    rule = reward_stdp("third", (0, 127), 8, rounding="nearest")
    weights = np.full((2, len(rewards)), 64)
    changes = change(rule, weights, [3, None], [5], 6, third=rewards).tolist()
    return {
        "source spiked before": (rewards, changes[0]),
        "source did not": (rewards, changes[1]),
    }


def boxcar() -> dict[str, Curve]:
    """Over the potential of the target, for two errors."""
    potentials = range(-100, 300, 4)
    rule = random_backprop("third", (0, 200), (-100, 100), 0.1, rounding="nearest")
    drive = [potential - 20 for potential in potentials]
    weights = np.full((1, len(potentials)), 20)
    return {
        f"error {error}": (potentials, change(rule, weights, [1], [], 2, drive, error)[0].tolist())
        for error in (100, -50)
    }


def eligibility() -> dict[str, Curve]:
    """In a single step with an error, over the age of a single spike."""
    ages = range(40)
    rule = e_prop("third", None, (-100, 100), 0.0152, 10, rounding="nearest")
    curves = {}
    for error in (240, -120):
        with_last, before = (
            change(rule, column(0, 40), [39 - age for age in ages], [], steps, third=error)
            for steps in (40, 39)
        )
        curves[f"error {error}"] = ages, (with_last - before)[:, 0].tolist()
    return curves


def filtered() -> dict[str, Curve]:
    """The mean of many synapses in a single step with an error, over the age of a single spike."""
    ages = range(60)
    weights = np.zeros((1, 512), np.int64)
    curves = {}
    for tau_filter in (10, 30):
        rule = super_spike("third", None, (-128, 127), 0.0078, 10, tau_filter)
        after = [change(rule, weights, [0], [], age + 1, third=240).mean() for age in ages]
        curves[f"tau_filter {tau_filter}"] = ages, np.diff(after, prepend=0).round(2).tolist()
    return curves


def windows(svg: Svg) -> dict[str, str]:
    """Every picture, by the name of its file."""
    pictures = {
        "pair_stdp": ("Pair STDP", "steps from the source's spike to the target's", pair()),
        "table_stdp": ("Table STDP", "age of the source's spike", table()),
        "sdsp": ("SDSP", "potential of the target when the source spikes", calcium()),
        "first_spike_stdp": ("First-spike STDP", "weight", first_spike()),
        "reward_stdp": ("Reward-modulated STDP", "reward", reward()),
        "random_backprop": ("eRBP", "potential of the target when the source spikes", boxcar()),
        "e_prop": ("E-prop", "steps since the source's spike", eligibility()),
        "super_spike": ("SuperSpike", "steps since the source's spike", filtered()),
    }
    return {f"{name}.svg": plot(svg, *picture) for name, picture in pictures.items()}
