"""The pruned network: memory and clocks in proportion to what is left, and little lost."""

from locking import one_at_a_time

import spikeloom
from examples.mnist import encode
from examples.pruned.evaluate import program, weights_left, words
from spikeloom.compare import compare
from spikeloom.demo import digits, mnist_program


def test_a_tenth_of_the_weights_takes_a_fifth_of_the_words() -> None:
    images, labels = digits(1000)
    events = encode(images)
    pruned, dense = program(), mnist_program()
    assert weights_left(pruned.network) <= 0.1 * dense.network.synapses
    assert words(pruned) <= 0.2 * words(dense)
    rates = []
    for made in (pruned, dense):
        with spikeloom.open(made, backend="golden") as device:
            rates.append((device.run(events).states["readout"].argmax(axis=1) == labels).mean())
    assert rates[0] >= rates[1] - 0.01
    with one_at_a_time("example-pruned"):
        result = compare(pruned, events[:5])
    assert result.mismatches == 0, str(result.first)
    with one_at_a_time("example-mnist"):
        plain = compare(dense, events[:5])
    assert result.rtl.cycles.sum() < 0.4 * plain.rtl.cycles.sum()
