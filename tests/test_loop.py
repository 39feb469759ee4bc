"""The system of `examples/loop`: an instance gets its accuracy back, in golden and in RTL."""

import numpy as np
import pytest
from example_fabric import TRACED
from locking import one_at_a_time

import spikeloom
from spikeloom.devices.device import Device

pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from examples.loop import LIMIT, digits, program, trained
from examples.loop.evaluate import BATCH, RATE
from examples.loop.train import accuracy, fit
from spikeloom.mismatch import Mismatch
from spikeloom.training import InTheLoop

MISMATCH = Mismatch(0.2, 0.2, 0.2, seed=4)


def loop_on(device: Device) -> InTheLoop:
    design = trained()
    return InTheLoop(device, design, gains=MISMATCH.gains(design), limit=LIMIT)


def test_an_instance_loses_accuracy_and_gets_it_back() -> None:
    images, tests = digits()
    tests = tests[:200]
    with spikeloom.open(program(trained())) as device:
        designed = accuracy(InTheLoop(device, limit=LIMIT), tests)
    with spikeloom.open(program(MISMATCH.planted(trained()))) as device:
        loop = loop_on(device)
        before = accuracy(loop, tests)
        for _ in fit(loop, images, iterations=15, batch=BATCH, seed=4, rate=RATE):
            pass
        after = accuracy(loop, tests)
    assert designed > 0.9
    assert before < designed - 0.1
    assert after - before > 0.6 * (designed - before)  # of 50 iterations, 15


def test_a_loop_through_the_rtl_is_that_through_the_golden_model() -> None:
    images, _ = digits()
    planted = program(MISMATCH.planted(trained()), TRACED)
    results = {}
    with one_at_a_time("example-traced"):
        for backend in ("golden", "verilator"):
            with spikeloom.open(planted, backend) as device:
                loop = loop_on(device)
                losses = list(fit(loop, images, iterations=3, batch=10, seed=1))
                run = loop(images[:10].events).run
            weights = [values.detach().numpy() for values in loop.weights.values()]
            results[backend] = losses, weights, run
    golden, rtl = results["golden"], results["verilator"]
    assert golden[0] == rtl[0]
    for first, second in zip(golden[1], rtl[1], strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(golden[2].spikes["hidden"], rtl[2].spikes["hidden"])
    for kind in ("traces", "current_traces"):
        for name, values in getattr(golden[2], kind).items():
            np.testing.assert_array_equal(values, getattr(rtl[2], kind)[name])
    assert rtl[2].errors == 0
    assert golden[2].spikes["hidden"].any()
