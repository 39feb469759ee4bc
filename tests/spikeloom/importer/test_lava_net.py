"""Networks of lava-dl load as integers: every spike as Loihi's fixed-point equations say."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

import spikeloom
from spikeloom.bounded import MAX_BYTES
from spikeloom.cli import cli
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.step.run import simulate
from spikeloom.importer.lava_net import load_lava_net

STEPS = 60
Ints = NDArray[np.int64]
RNG = np.random.default_rng(1)
CONV = 2 * RNG.integers(-20, 30, (3, 2, 3, 3))
WIDE = RNG.integers(-100, 120, (10, 24))
DELAYS = RNG.integers(0, 4, 10)
LOOP = 2 * RNG.integers(-128, 100, (10, 10))
BIAS = RNG.integers(-5, 9, 3)
EVENTS = RNG.random((1, STEPS, 2 * 7 * 7)) < 0.2


def layer(file: Any, n: int, kind: str, shape: Any, **data: Any) -> Any:
    """A layer as `export_hdf5` writes it."""
    group = file.create_group(f"layer/{n}")
    group.create_dataset("type", (1,), "S10", [kind.encode()])
    group.create_dataset("shape", data=np.array(shape))
    for name, value in data.items():
        group.create_dataset(name, data=value)
    return group


def cuba(group: Any, current: Any = 4096, voltage: Any = 1024, threshold: int = 60) -> None:
    values = {"type": "CUBA", "iDecay": current, "vDecay": voltage, "vThMant": threshold}
    for name, value in (values | {"refDelay": 1, "gradedSpike": False}).items():
        group.create_dataset(f"neuron/{name}", data=value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "model.net", "w") as file:
        layer(file, 0, "input", (2, 7, 7))
        kernel = {"stride": (2, 3), "padding": (1, 0), "dilation": (1, 1), "groups": 1}
        cuba(
            layer(
                file, 1, "conv", (3, 4, 2), weight=np.float32(CONV[..., None]), bias=BIAS, **kernel
            ),
            threshold=90,
        )
        layer(file, 2, "flatten", (1, 1, 24))
        cuba(
            layer(file, 3, "dense", (10, 1, 1), weight=WIDE, delay=np.float32(DELAYS)),
            current=np.full(1, 1500),
        )
        cuba(
            layer(file, 4, "dense_rec", (10,), weight=np.eye(10) * 90, weight_rec=LOOP),
            voltage=np.arange(10) * 100 + 500,
        )
    return tmp_path / "model.net"


def decay(x: Ints, k: Any) -> Ints:
    result: Ints = np.sign(x) * ((np.abs(x) * (4096 - np.asarray(k))) >> 12)
    return result


def neurons(arriving: Ints, current: Any, voltage: Any, threshold: int, bias: Any = 0) -> Any:
    """What Lava's fixed-point LIF does with sums of weights (steps, size), a step late."""
    u = v = np.zeros(arriving.shape[1], np.int64)
    for a in arriving:
        u = decay(u, current) + (a << 6)
        v = decay(v, voltage) + u + (np.asarray(bias) << 6)
        z = v > threshold << 6
        v = np.where(z, 0, v)
        yield z


def late(sums: Ints, steps: int = 1) -> Ints:
    return np.concatenate([np.zeros((steps, *sums.shape[1:]), np.int64), sums[: STEPS - steps]])


def expected() -> list[NDArray[np.bool_]]:
    image = np.pad(EVENTS[0].reshape(STEPS, 2, 7, 7), ((0, 0), (0, 0), (1, 1), (0, 0)))
    sums = np.zeros((STEPS, 3, 4, 2), np.int64)
    for row in range(4):
        for column in range(2):
            window = image[:, :, 2 * row : 2 * row + 3, 3 * column : 3 * column + 3]
            sums[:, :, row, column] = np.einsum("tikl,oikl->to", window, CONV)
    first = np.array(
        list(neurons(late(sums.reshape(STEPS, -1)), 4096, 1024, 90, np.repeat(BIAS, 8)))
    )
    arriving = first.astype(np.int64) @ WIDE.T
    each = np.stack([late(arriving, 1 + d)[:, n] for n, d in enumerate(DELAYS)], axis=1)
    second = np.array(list(neurons(each, 1500, 1024, 60)))
    drive, last = late(second.astype(np.int64) * 90), []
    v = np.zeros(10, np.int64)
    z = np.zeros(10, bool)
    for a in drive:
        v = decay(v, np.arange(10) * 100 + 500) + ((a + LOOP @ z) << 6)
        z = v > 60 << 6
        v = np.where(z, 0, v)
        last.append(z)
    return [first, second, np.array(last)]


def test_every_spike_is_that_of_the_fixed_point_equations(path: Path) -> None:
    network = load_lava_net(path)
    run = simulate(network, EVENTS)
    assert [p.name for p in network.populations] == ["layer1", "layer3", "layer4"]
    for name, raster in zip(("layer1", "layer3", "layer4"), expected(), strict=True):
        assert np.array_equal(run.spikes[name][0], raster)
        assert 20 < raster.sum() < 0.75 * raster.size


def test_even_weights_are_halved_and_shifted_by_one_more(path: Path) -> None:
    network = load_lava_net(path)
    assert [p.fraction_bits for p in network.populations] == [7, 6, 7]
    assert network.weight_bits == 8
    assert network.state_bits == 24


def test_layers_can_be_left_out(path: Path) -> None:
    network = load_lava_net(path, skip_layers=3, num_layers=4)
    assert [node.size for node in network.inputs] == [24]
    assert [p.name for p in network.populations] == ["layer3"]
    run = simulate(network, expected()[0][np.newaxis])
    assert np.array_equal(run.spikes["layer3"][0], expected()[1])


def test_it_compiles(path: Path) -> None:
    program = spikeloom.compile(spikeloom.load_lava_net(path, num_layers=2))
    with spikeloom.open(program, backend="golden") as device:
        run = device.run(EVENTS)
    assert np.array_equal(run.spikes["layer1"][0], expected()[0])


def test_the_command_line_compiles_it(path: Path) -> None:
    output = path.with_suffix(".loom")
    command = ["compile", str(path), "-o", str(output)]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    assert {p.name for p in spikeloom.Program.load(output).network.populations} == {
        "layer1", "layer3", "layer4",
    }  # fmt: skip
    with pytest.raises(SpikeloomError, match="leaves no such choice"):
        CliRunner().invoke(cli, [*command, "--dt", "1"], catch_exceptions=False)


def put(name: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[name]
        file[name] = value

    return change


def declare(file: Any) -> None:
    del file["layer/3/weight"]
    file.create_dataset("layer/3/weight", (MAX_BYTES // 4 + 1,), "f4", chunks=(1024,))


def store_outside(file: Any) -> None:
    del file["layer/3/weight"]
    outside = [("/etc/hostname", 0, 240)]
    file.create_dataset("layer/3/weight", (10, 24), "u1", external=outside)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (put("layer/1/type", np.array([b"pool"])), "type 'pool' has no equivalent"),
        (put("layer/3/neuron/type", "SDNN"), "'SDNN' have no equivalent"),
        (put("layer/3/weight", np.full((10, 24), 300)), "weight must be -256..255"),
        (put("layer/3/weight", np.full((10, 24), 0.5)), "must be integers"),
        (put("layer/3/weight", np.full((10, 24), np.nan)), "NaN"),
        (put("layer/3/weight", np.ones((10, 23))), "23 inputs, but the layer before has 24"),
        (put("layer/3/weight", "text"), "weight must be numbers"),
        (put("layer/3/delay", np.full(10, 15)), "delays must be 0..14"),
        (put("layer/3/neuron/iDecay", 5000), "iDecay must be 0..4096"),
        (put("layer/1/shape", (3, 5, 2)), "it makes (3, 4, 2)"),
        (put("layer/3/neuron", h5py.SoftLink("/layer/1/neuron")), "is a link to another place"),
        (
            put("layer/3/neuron", h5py.ExternalLink("/etc/passwd", "/")),
            "is a link to another place",
        ),
        (put("layer/3/weight", h5py.ExternalLink("fifo", "/x")), "is a link to another place"),
        (lambda file: file.__delitem__("layer/3/weight"), "weight is absent"),
        (lambda file: file.__delitem__("layer"), "layer is absent"),
        (declare, "declares more than"),
        (store_outside, "is in another file"),
    ],
)
def test_bad_files_are_refused(path: Path, change: Callable[[Any], None], part: str) -> None:
    os.mkfifo(path.parent / "fifo")
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(SpikeloomError) as caught:
        load_lava_net(path)
    assert part in str(caught.value)
    assert "model.net" in str(caught.value)


def test_what_is_no_hdf5_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "text").write_text("no HDF5")
    for name, part in (
        ("fifo", "not a regular file"),
        ("text", "no valid HDF5"),
        (".", "Is a directory"),
    ):
        with pytest.raises(SpikeloomError, match=part):
            load_lava_net(tmp_path / name)
