"""The first hour of a user of snnTorch: train, export, compile with the dialect alone, run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_frameworks import need, quiet

import spikeloom

torch = need("torch", "PyTorch")
need("nirtorch", "NIRTorch")
snn = need("snntorch", "snnTorch")
datasets = need("sklearn.datasets", "scikit-learn")

STEPS, EPOCHS, TRAINED = 20, 8, 1297
DRAWS = 8
"""Of the events of each digit told: one draw of 500 says half a point more or less by chance."""
IN_RTL = 40


def layer(size: int) -> Any:
    """Parameters as tensors, as the exporter needs them; all else is snnTorch's default."""
    beta, threshold = torch.full((size,), 0.9), torch.ones(size)
    return snn.Leaky(beta=beta, threshold=threshold, init_hidden=True)


@pytest.fixture(scope="module")
def trained() -> tuple[Any, np.ndarray, np.ndarray]:
    """A model, and 500 digits that it has not seen, each several times: events (samples, steps, 64)
    and labels.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    images, labels = datasets.load_digits(return_X_y=True)
    order = rng.permutation(len(images))
    rates, labels = images[order] / 16, labels[order]

    def drawn(rates: np.ndarray) -> np.ndarray:
        return (rng.random((len(rates), STEPS, 64)) < rates[:, np.newaxis]).astype(np.float32)

    model = torch.nn.Sequential(
        torch.nn.Linear(64, 64), layer(64), torch.nn.Linear(64, 10), layer(10)
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    x, y = torch.from_numpy(drawn(rates[:TRAINED])), torch.from_numpy(labels[:TRAINED])
    for _ in range(EPOCHS):
        for batch in torch.randperm(TRAINED).split(64):
            loss = torch.nn.functional.cross_entropy(counts(model, x[batch]), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model, drawn(np.tile(rates[TRAINED:], (DRAWS, 1))), np.tile(labels[TRAINED:], DRAWS)


def counts(model: Any, x: Any) -> Any:
    """Output spikes of each class."""
    for module in model:
        if isinstance(module, snn.Leaky):
            module.reset_mem()
            module.mem = torch.zeros(0)
    return sum(model(x[:, t]) for t in range(x.shape[1]))


def test_a_fresh_network_loses_at_most_half_a_point(trained: Any, tmp_path: Path) -> None:
    import nir  # noqa: PLC0415 - after the skips
    from snntorch.export_nir import export_to_nir  # noqa: PLC0415

    model, events, labels = trained
    with torch.no_grad(), quiet():
        expected = counts(model, torch.from_numpy(events)).argmax(1).numpy()
        graph = export_to_nir(model, torch.from_numpy(events[:1, 0]), ignore_dims=[0])
    nir.write(tmp_path / "model.nir", graph)
    net = spikeloom.load_nir(tmp_path / "model.nir", "snntorch")
    assert not net.warnings
    program = spikeloom.compile(net)
    [(_, output)] = net.outputs
    bits = events.astype(bool)
    with spikeloom.open(program, backend="golden") as device:
        run = device.run(bits)
    with spikeloom.open(program, backend="verilator") as device:
        rtl = device.run(bits[:IN_RTL])
    assert np.array_equal(rtl.spikes[output], run.spikes[output][:IN_RTL])
    assert rtl.errors == 0
    theirs = 100 * float((expected == labels).mean())
    ours = 100 * float((run.spikes[output].sum(axis=1).argmax(axis=1) == labels).mean())
    print(f"snnTorch {theirs:.1f} %, compiled {ours:.1f} %")
    assert theirs > 90
    assert ours >= theirs - 0.5
