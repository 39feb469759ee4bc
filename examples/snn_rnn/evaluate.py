"""Accuracy and operations of both networks, for every length of a bin; golden beside RTL.

python -m examples.snn_rnn.evaluate nmnist_1000.npz
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import spikeloom
from examples.snn_rnn import BINS_MS, Layers, program, recordings, rnn_operations
from examples.snn_rnn.train import recurrent_accuracy


def measure(data: Path) -> Iterator[str]:
    """A line for each length of a bin."""
    for bin_ms in BINS_MS:
        images, tests = recordings(data, bin_ms)
        runs = {}
        for backend in ("golden", "verilator"):
            with spikeloom.open(program(Layers.load(bin_ms)), backend) as device:
                runs[backend] = device.run(tests.frames)
        golden, rtl = runs["golden"], runs["verilator"]
        different = sum(
            int((values != rtl.spikes[name]).sum()) for name, values in golden.spikes.items()
        )
        different += golden.synops != rtl.synops
        answers = golden.spikes["classes"].sum(axis=1).argmax(axis=1)
        every, events = rnn_operations(tests.frames)
        synops = golden.synops / len(tests.labels)
        assert rtl.cycles is not None
        yield (
            f"bins of {bin_ms} ms, {tests.frames.shape[1]} steps: SNN "
            f"{(answers == tests.labels).mean():.1%} of {len(answers)} recordings, "
            f"{synops:,.0f} additions and {rtl.cycles.mean():,.0f} clocks each; RNN "
            f"{recurrent_accuracy(images, tests):.1%}, {every:,.0f} multiply-accumulates, or "
            f"{events:,.0f} if events that are 0 are skipped; spikes and counts of operations that "
            f"differ between golden and RTL: {different}"
        )


if __name__ == "__main__":
    for line in measure(Path(sys.argv[1])):
        print(line, flush=True)
