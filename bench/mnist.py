"""The whole MNIST test set through the RTL: accuracy, clocks, and where the clocks go."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.figure import Figure
from spikeloom.compare import compare
from spikeloom.demo import mnist_program
from spikeloom.examples.mnist import encode
from spikeloom.golden.step.run import check_inputs


def measure(data: Path) -> Iterator[Figure]:
    """Run the 10,000 test images and compare every spike, state and clock count."""
    with np.load(data / "mnist.npz", allow_pickle=False) as archive:
        images, labels = archive["x_test"], archive["y_test"]
    program = mnist_program()
    events = encode(images)
    result = compare(program, events)
    rtl, golden = result.rtl, result.golden
    assert rtl.cycles is not None
    lanes = program.fabric.lanes
    clocks = int(rtl.cycles.sum())
    answers = rtl.states["readout"].argmax(axis=1)
    yield Figure("mnist.mismatches", result.mismatches, "spikes, states, clocks", 0, at_most=True)
    yield Figure("mnist.accuracy", float((answers == labels).mean()), "of 10,000", 0.983)
    yield Figure("mnist.clocks_per_image", clocks / len(images), "clocks", 2400, at_most=True)
    yield Figure(
        "mnist.synops_per_clock_and_lane",
        rtl.synops / clocks / lanes,
        "",
        0.90,
        reference="weight port busy in every clock",
        reference_value=1.0,
    )

    # Where the clocks go: a group is issued, or waits for a fetch, or there is nothing to issue.
    network = program.network
    counts = check_inputs(network, events)
    issued = 0
    for connection in network.connections:
        source = connection.source
        emitted = counts[source] if source in counts else golden.spikes[source]
        issued += int(emitted.sum()) * -(-network.size(connection.target) // lanes)
    fetched = sum(-(-p.size // lanes) for p in network.populations) * events[..., 0].size
    yield Figure("mnist.clocks.groups", issued / len(images), "clocks per image")
    yield Figure(
        "mnist.clocks.padding",
        (issued - rtl.synops / lanes) / len(images),
        "clocks' worth of idle lanes per image, within the groups",
    )
    yield Figure("mnist.clocks.fetches", fetched / len(images), "clocks per image")
    yield Figure(
        "mnist.clocks.idle",
        (clocks - issued - fetched) / len(images),
        "clocks per image with nothing to issue, start-up of each chunk included",
    )
