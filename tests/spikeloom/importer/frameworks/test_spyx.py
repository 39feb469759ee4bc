"""Spyx: dense, convolutional and recurrent layers spike as they do there, one step earlier."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nir_frameworks import STEPS, check, events, need, quiet

from spikeloom.importer.load import load_nir

os.environ.setdefault("JAX_PLATFORMS", "cpu")
nnx = need("flax.nnx", "Flax")
jnp = need("jax.numpy", "JAX")
spyx = need("spyx.nn", "Spyx")

Layers = Callable[[Any], list[Any]]


def check_layers(
    make: Layers, shape: tuple[int, ...], out: tuple[int, ...], wide: float, late: int = 1
) -> None:
    from spyx.nir import to_nir  # noqa: PLC0415 - after the skip

    x = events(*shape)
    layers = make(nnx.Rngs(0))
    for layer in layers:
        if isinstance(layer, (nnx.Linear, nnx.Conv)):
            layer.kernel[...] = layer.kernel[...] * wide
    model = spyx.Sequential(*layers)
    with quiet():
        graph = to_nir(model, {"input": np.array(shape)}, {"output": np.array(out)}, dt=1)
    state, rasters = model.initial_state(len(x)), []
    for t in range(STEPS):
        frame = np.moveaxis(x[:, t], 1, -1) if len(shape) == 3 else x[:, t]
        y, state = model(jnp.array(frame), state)
        raster = np.array(y)
        rasters.append(np.moveaxis(raster, -1, 1) if raster.ndim == 4 else raster)
    expected = np.stack(rasters, 1).reshape(len(x), STEPS, -1)
    network = load_nir(graph, "spyx")
    [(_, last)] = network.outputs
    check(network, x, {last: expected}, late=late)


DENSE: dict[str, Layers] = {
    "IF": lambda r: [spyx.IF((9,), rngs=r), nnx.Linear(9, 5, rngs=r), spyx.IF((5,), rngs=r)],
    "LIF": lambda r: [
        spyx.LIF((9,), beta=0.8, rngs=r),
        nnx.Linear(9, 5, rngs=r),
        spyx.LIF((5,), threshold=0.7, rngs=r),
    ],
    "CuBaLIF": lambda r: [
        spyx.CuBaLIF((9,), rngs=r),
        nnx.Linear(9, 5, use_bias=False, rngs=r),
        spyx.CuBaLIF((5,), alpha=0.4, beta=0.8, rngs=r),
    ],
    "RIF": lambda r: [spyx.RIF((9,), rngs=r)],
    "RLIF": lambda r: [spyx.RLIF((9,), rngs=r)],
    "RCuBaLIF": lambda r: [spyx.RCuBaLIF((9,), threshold=1.5, rngs=r)],
}


@pytest.mark.parametrize("case", DENSE)
def test_dense_and_recurrent_layers(case: str) -> None:
    def make(rngs: Any) -> list[Any]:
        return [nnx.Linear(12, 9, rngs=rngs), *DENSE[case](rngs)]

    check_layers(make, (12,), (9,) if case.startswith("R") else (5,), 2.0)


@pytest.mark.parametrize("beta", [None, 0.8])
def test_a_psu_lif_is_one_population_and_not_late(beta: float | None) -> None:
    def alone(rngs: Any) -> list[Any]:
        return [nnx.Linear(12, 9, rngs=rngs), spyx.PSU_LIF((9,), beta=beta, rngs=rngs)]

    def behind(rngs: Any) -> list[Any]:
        lif = spyx.LIF((9,), beta=0.8, rngs=rngs)
        psu = spyx.PSU_LIF((5,), beta=beta, threshold=0.7, rngs=rngs)
        return [nnx.Linear(12, 9, rngs=rngs), lif, nnx.Linear(9, 5, rngs=rngs), psu]

    def before(rngs: Any) -> list[Any]:
        return [*alone(rngs), nnx.Linear(9, 5, rngs=rngs), spyx.LIF((5,), beta=0.8, rngs=rngs)]

    check_layers(alone, (12,), (9,), 2.0, late=0)
    check_layers(behind, (12,), (5,), 3.0, late=0)
    check_layers(before, (12,), (5,), 3.0, late=1)


@pytest.mark.parametrize("kind", ["LIF", "CuBaLIF", "RLIF"])
def test_decays_outside_0_to_1_are_clipped(kind: str) -> None:
    def make(rngs: Any) -> list[Any]:
        layer = getattr(spyx, kind)((9,), rngs=rngs)
        layer.beta[...] = jnp.linspace(-0.3, 1.2, 9)
        if kind == "CuBaLIF":
            layer.alpha[...] = jnp.linspace(1.3, -0.2, 9)
        return [nnx.Linear(12, 9, rngs=rngs), layer]

    check_layers(make, (12,), (9,), 2.0)


def test_convolution_pooling_and_flatten() -> None:
    def make(rngs: Any) -> list[Any]:
        return [
            nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=rngs),
            spyx.LIF((6, 6, 3), beta=0.8, rngs=rngs),
            spyx.SumPool((2, 2), (2, 2), "VALID", channel_axis=-1),
            spyx.Flatten(),
            nnx.Linear(27, 3, rngs=rngs),
            spyx.LIF((3,), beta=0.8, rngs=rngs),
        ]

    check_layers(make, (2, 8, 8), (3,), 2.0)


def test_a_flatten_before_neurons() -> None:
    def make(rngs: Any) -> list[Any]:
        return [
            nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=rngs),
            spyx.Flatten(),
            spyx.LIF((48,), rngs=rngs),
            nnx.Linear(48, 3, rngs=rngs),
            spyx.IF((3,), rngs=rngs),
        ]

    check_layers(make, (2, 6, 6), (3,), 2.0)


@pytest.mark.parametrize(("size", "window"), [(7, (2, 2)), (8, (2, 2)), (8, (3, 2))])
def test_pooling_with_same_padding(size: int, window: tuple[int, int]) -> None:
    """Of these sizes the exporter's padding gives NIR the right shape."""
    stride = 2, 2
    out = (3, -(-size // stride[0]), -(-size // stride[1]))

    def make(rngs: Any) -> list[Any]:
        return [
            nnx.Conv(2, 3, (3, 3), padding="SAME", rngs=rngs),
            spyx.LIF((size, size, 3), beta=0.8, rngs=rngs),
            spyx.SumPool(window, stride, "SAME", channel_axis=-1),
            nnx.Conv(3, 3, (1, 1), padding="VALID", rngs=rngs),
            spyx.LIF((*out[1:], 3), beta=0.8, rngs=rngs),
        ]

    check_layers(make, (2, size, size), out, 2.0)
