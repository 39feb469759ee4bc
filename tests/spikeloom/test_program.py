"""Program files: whole or not at all, and never trusted."""

import dataclasses
import io
import json
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from equal_networks import network_equal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_program import SMALL, small_network

from spikeloom.files import write_bytes
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.switches.constant_leak import ConstantLeak
from spikeloom.golden.switches.refractory import Refractory
from spikeloom.program import Program


def refusal(path: Path) -> str:
    with pytest.raises(SpikeloomError) as error:
        Program.load(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def saved(program: Program, path: Path) -> bytes:
    program.save(path)
    return path.read_bytes()


def same(one: Program, other: Program) -> bool:
    return (
        network_equal(one.network, other.network)
        and one.image == other.image
        and (one.fabric, one.record, one.readout, one.about, one.digest)
        == (other.fabric, other.record, other.readout, other.about, other.digest)
    )


def with_members(data: bytes, **changed: bytes | None) -> bytes:
    """An archive with some members replaced, added or (None) left out."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members: dict[str, bytes | None] = {n: archive.read(n) for n in archive.namelist()}
    members |= {f"{name}.npy": content for name, content in changed.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)
    return buffer.getvalue()


def array_file(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header_of(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data)) as archive:
        header: dict[str, Any] = json.loads(archive["header"].tobytes())
    return header


def with_header(data: bytes, header: Any) -> bytes:
    text = json.dumps(header).encode()
    return with_members(data, header=array_file(np.frombuffer(text, np.uint8)))


# Saving and loading.


def test_what_is_saved_is_loaded(small: Program, tmp_path: Path) -> None:
    small.save(tmp_path / "small.loom")
    loaded = Program.load(tmp_path / "small.loom")
    assert same(loaded, small)
    assert loaded.network.populations[2].reset is small.network.populations[2].reset
    assert [path.name for path in tmp_path.iterdir()] == ["small.loom"]


def test_the_name_needs_no_suffix_and_may_be_a_string(small: Program, tmp_path: Path) -> None:
    small.save(str(tmp_path / "program"))
    assert same(Program.load(str(tmp_path / "program")), small)


def test_numpy_integers_are_saved_too(small: Program, tmp_path: Path) -> None:
    populations = tuple(
        dataclasses.replace(p, decay=np.int64(p.decay), threshold=np.int32(p.threshold))
        for p in small.network.populations
    )
    network = dataclasses.replace(small.network, populations=populations)
    other = dataclasses.replace(small, network=network)
    other.save(tmp_path / "other.loom")
    assert same(Program.load(tmp_path / "other.loom"), small)


def test_the_same_program_gives_the_same_bytes(small: Program, tmp_path: Path) -> None:
    again = Program(small_network(), SMALL, small.record, small.readout, dict(small.about))
    assert saved(small, tmp_path / "one") == saved(again, tmp_path / "other")
    assert again.digest == small.digest


def test_digest_sees_everything_that_is_computed_and_nothing_else(small: Program) -> None:
    assert dataclasses.replace(small, about={"made": "elsewhere"}).digest == small.digest
    populations = (
        dataclasses.replace(small.network.populations[0], v_init=1),
        *small.network.populations[1:],
    )
    network = dataclasses.replace(small.network, populations=populations)
    for changed in (
        dataclasses.replace(small, network=network),
        dataclasses.replace(small, record=frozenset({"first"})),
        dataclasses.replace(small, readout=frozenset()),
        dataclasses.replace(small, fabric=dataclasses.replace(SMALL, queue=5)),
    ):
        assert changed.digest != small.digest


@pytest.mark.parametrize("option", ["record", "readout"])
def test_unknown_populations_are_named(small: Program, option: str) -> None:
    with pytest.raises(SpikeloomError, match=f"^{option}: no population is called one, two$"):
        dataclasses.replace(small, **{option: frozenset({"two", "first", "one"})})


def test_a_name_that_no_terminal_shows_is_one_line() -> None:
    with pytest.raises(SpikeloomError, match=r"^record: no population is called 'a\\nb', c$"):
        Program(small_network(), SMALL, frozenset({"c", "a\nb"}), frozenset())


def test_a_program_that_does_not_fit_cannot_be_made(small: Program) -> None:
    with pytest.raises(SpikeloomError, match="does not fit the fabric: neurons "):
        dataclasses.replace(small, fabric=dataclasses.replace(SMALL, neurons=8))


# Everything that a network can have.


def rich() -> Program:
    """Every field of every kind of node and connection differs from its default."""
    rng = np.random.default_rng(11)
    network = Network(
        (Input("in", 24, 2, (2, 4, 3)),),
        (
            Population(
                "conv",
                12,
                rng.integers(-9, 9, 12),
                0,
                100,
                20,
                True,
                True,
                Reset.SUBTRACT,
                3,
                4,
                (4, 3, 1),
                300,
                rng.integers(-9, 9, 12),
                17,
                True,
                -50,
                switches=(ConstantLeak(3, positive_only=True),),
            ),
            Population(
                "burst",
                3,
                np.zeros(3, np.int64),
                1,
                decay=np.array([1, 2, 3]),
                threshold=np.array([7, 5, 6]),
                v_reset=np.array([-1, 0, 1]),
                synaptic_decay=np.array([9, 8, 7]),
                subtrahend=np.array([7, 5, 6]),
                max_spikes=3,
                fraction_bits=4,
                switches=(Refractory(2, "mute"), ConstantLeak(1)),
            ),
        ),
        (
            Convolution(
                "in",
                "conv",
                rng.integers(-9, 9, (4, 1, 3, 2)),
                1,
                True,
                (1, 2),
                ((1, 0), (0, 1)),
                (1, 2),
                2,
                (1, 1),
            ),
            Convolution("in", "conv", rng.integers(-9, 9, (4, 2, 2, 1)), pool=(1, 3)),
            Connection("conv", "burst", rng.integers(-9, 9, (12, 3)), 1, True),
        ),
        sum_bits=24,
    )
    fabric = FabricConfig(
        lanes=2,
        sum_bits=24,
        extent=4,
        synaptic_current=True,
        weight_pairs=True,
        delayed_reset=True,
        lower_clamp=True,
        max_spikes=3,
        fraction_bits=6,
        neuron_parameters=True,
        constant_leak=True,
        refractory=True,
    )
    return Program(network, fabric, frozenset({"conv", "burst"}), frozenset({"burst"}))


def test_every_field_is_saved(tmp_path: Path) -> None:
    program = rich()
    program.save(tmp_path / "rich")
    loaded = Program.load(tmp_path / "rich")
    assert same(loaded, program)
    for one, other in zip(
        (*program.network.inputs, *program.network.populations, *program.network.connections),
        (*loaded.network.inputs, *loaded.network.populations, *loaded.network.connections),
        strict=True,
    ):
        assert type(one) is type(other)
        for field in dataclasses.fields(one):
            before, after = getattr(one, field.name), getattr(other, field.name)
            assert type(before) is type(after), field.name
            assert np.array_equal(before, after), field.name


def test_digest_sees_every_field() -> None:
    program = rich()
    network = program.network

    def changed(kind: str, number: int, **fields: Any) -> str:
        nodes = list(getattr(network, kind))
        nodes[number] = dataclasses.replace(nodes[number], **fields)
        other = dataclasses.replace(network, **{kind: tuple(nodes)})
        return dataclasses.replace(program, network=other).digest

    conv, first = network.populations[0], network.connections[0]
    digests = [
        program.digest,
        changed("inputs", 0, max_count=1),
        changed("populations", 0, synaptic_decay=301),
        changed("populations", 0, leak=None),
        changed("populations", 0, leak=conv.bias),
        changed("populations", 0, subtrahend=None),
        changed("populations", 0, delayed_reset=False),
        changed("populations", 0, v_min=None),
        changed("populations", 1, max_spikes=1),
        changed("populations", 0, fraction_bits=1),
        changed("populations", 0, threshold=np.full(12, 5)),
        changed("populations", 0, threshold=np.arange(12)),
        changed("populations", 0, decay=np.arange(12)),
        changed("populations", 0, switches=()),
        changed("populations", 0, switches=(ConstantLeak(3),)),
        changed("populations", 0, switches=(ConstantLeak(2, positive_only=True),)),
        changed("connections", 0, high=False),
        changed("connections", 0, padding=((0, 1), (0, 1))),
        changed("connections", 0, padding=((0, 1), (1, 0))),
        changed("connections", 0, weights=-first.weights),
        changed("connections", 2, high=False),
    ]
    assert len(set(digests)) == len(digests)


def test_forged_fields_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "forged"
    data = saved(rich(), tmp_path / "whole")
    header = header_of(data)
    monkeypatch.setattr("spikeloom.program._digest", lambda *_: header["digest"])
    first, *others = header["connections"]
    conv, burst = header["populations"]
    for name, value in (
        ("connections", [first | {"kind": "sparse"}, *others]),
        ("connections", [first | {"kind": "dense"}, *others]),
        ("connections", [{n: v for n, v in first.items() if n != "kind"}, *others]),
        ("connections", [first | {"padding": 3}, *others]),
        ("connections", [first | {"stride": [1, 0]}, *others]),
        ("connections", [first | {"stride": [1.5, 1]}, *others]),
        ("connections", [first | {"groups": 3}, *others]),
        ("populations", [conv | {"image": [4, 3, 2]}, burst]),
        ("populations", [conv | {"image": "text"}, burst]),
        ("populations", [conv | {"leak": [1] * 12}, burst]),
        ("populations", [conv | {"max_spikes": 2}, burst]),
        ("populations", [conv | {"switches": [{"name": "records"}]}, burst]),
        ("populations", [conv | {"switches": [{"name": "refractory", "steps": 1.5}]}, burst]),
        ("populations", [conv | {"switches": [{"name": "spike_once", "steps": 1}]}, burst]),
    ):
        path.write_bytes(with_header(data, header | {name: value}))
        refusal(path)
    for array in (np.zeros(3, np.int64), np.zeros(12)):
        path.write_bytes(with_members(data, leak0=array_file(array)))
        refusal(path)


# Files that are no programs.


def test_a_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no") == f"cannot read {tmp_path / 'no'}: No such file or directory"


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith("cannot read ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"P",
        b"PK\x03\x04",
        b"not a program\n",
        bytes(1000),
        array_file(np.arange(5)),
        b"\x93NUMPY\x01\x00v\x00{'descr': '<i8', 'fortran_order': False, 'shape': (9999999999,)}",
    ],
)
def test_foreign_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    assert refusal(path) == f"{path} is not a complete Spikeloom program; compile it again"


def test_foreign_archives(tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    np.savez(path.with_suffix(".npz"), a=np.arange(3))
    path.with_suffix(".npz").rename(path)
    assert "is not a complete Spikeloom program" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "is not a complete Spikeloom program" in refusal(path)
    with zipfile.ZipFile(path, "w"):
        pass
    assert "is not a complete Spikeloom program" in refusal(path)


def test_every_truncation_is_refused(small: Program, tmp_path: Path) -> None:
    data = saved(small, tmp_path / "whole")
    path = tmp_path / "cut"
    for length in [*range(0, len(data), 13), len(data) - 1]:
        path.write_bytes(data[:length])
        assert "is not a complete Spikeloom program" in refusal(path), length


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_flipped_bits_are_refused_or_harmless(
    small: Program, tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "flipped"
    whole = bytearray(saved(small, tmp_path / "whole"))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        loaded = Program.load(path)
    except SpikeloomError:
        return
    assert same(loaded, small)


def test_every_byte_matters_or_does_no_harm(small: Program, tmp_path: Path) -> None:
    path = tmp_path / "flipped"
    whole = saved(small, tmp_path / "whole")
    flip = random.Random(3)
    refused = 0
    for position in range(0, len(whole), 3):
        flipped = bytearray(whole)
        flipped[position] ^= flip.randrange(1, 256)
        path.write_bytes(flipped)
        try:
            assert same(Program.load(path), small)
        except SpikeloomError:
            refused += 1
    assert refused > len(whole) / 6


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_pickled_content_is_not_executed(small: Program, tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    pickle.loads(pickle.dumps(Bomb(trace)))
    assert trace.exists()
    trace.unlink()
    path = tmp_path / "bomb"
    data = saved(small, tmp_path / "whole")
    bomb = np.array([Bomb(trace)], object)
    for content in (
        pickle.dumps(Bomb(trace)),
        array_file(bomb),
        with_members(data, header=array_file(bomb)),
        with_members(data, weights0=array_file(bomb)),
        with_members(data, weights0=pickle.dumps(Bomb(trace))),
    ):
        path.write_bytes(content)
        assert "is not a complete Spikeloom program" in refusal(path)
        assert not trace.exists()


def test_altered_arrays_are_noticed(small: Program, tmp_path: Path) -> None:
    path = tmp_path / "altered"
    data = saved(small, tmp_path / "whole")
    weights = small.network.connections[0].weights
    other = weights.copy()
    other[0, 0] += 1
    for content in (
        with_members(data, weights0=array_file(other)),
        with_members(data, weights0=array_file(weights.T)),
        with_members(data, extra=array_file(weights)),
        with_members(data, bias0=None),
    ):
        path.write_bytes(content)
        assert refusal(path) == f"{path} was altered after it was written; compile it again"


def test_altered_headers_are_noticed(small: Program, tmp_path: Path) -> None:
    path = tmp_path / "altered"
    data = saved(small, tmp_path / "whole")
    header = header_of(data)
    for name, value in (("weight_bits", 4), ("record", []), ("inputs", []), ("digest", "0")):
        path.write_bytes(with_header(data, header | {name: value}))
        assert refusal(path) == f"{path} was altered after it was written; compile it again"


def test_headers_of_another_form_are_refused(small: Program, tmp_path: Path) -> None:
    path = tmp_path / "altered"
    data = saved(small, tmp_path / "whole")
    header = header_of(data)
    incomplete = [{n: v for n, v in header.items() if n != name} for name in header]
    for other in (3, [], None, "text", {}, header | {"format": "other"}, header | {"about": 3}):
        path.write_bytes(with_header(data, other))
        assert "is not a complete Spikeloom program" in refusal(path)
    for other in incomplete:
        path.write_bytes(with_header(data, other))
        refusal(path)


def test_another_version_is_named(small: Program, tmp_path: Path) -> None:
    path = tmp_path / "later"
    data = saved(small, tmp_path / "whole")
    for version in (0, 4, 6, "5", "5\n"):
        path.write_bytes(with_header(data, header_of(data) | {"version": version}))
        assert refusal(path) == (
            f"{path} has version {version!r}, this Spikeloom reads 5; compile it again"
        )


def test_a_file_with_a_right_digest_is_checked_all_the_same(
    small: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "forged"
    data = saved(small, tmp_path / "whole")
    header = header_of(data)
    monkeypatch.setattr("spikeloom.program._digest", lambda *_: header["digest"])
    fabric = dict(header["fabric"])
    for name, value in (
        ("weight_bits", 3),
        ("state_bits", -1),
        ("sum_bits", None),
        ("record", ["nobody"]),
        ("record", 3),
        ("fabric", fabric | {"lanes": 99}),
        ("fabric", fabric | {"colour": 1}),
        ("fabric", fabric | {"neurons": 3}),
        ("fabric", None),
        ("inputs", [{}]),
        ("inputs", [{"name": "in", "size": 1e9}]),
        ("populations", []),
        ("populations", [{**header["populations"][0], "reset": 9}]),
        ("connections", [{"source": "in", "target": "nobody"}]),
        ("connections", "text"),
    ):
        path.write_bytes(with_header(data, header | {name: value}))
        refusal(path)
    for array in (
        np.zeros(9),
        np.zeros(9, complex),
        np.full(9, np.nan),
        np.zeros(3, np.int64),
        np.array("text"),
    ):
        path.write_bytes(with_members(data, bias0=array_file(array)))
        refusal(path)


# Saving where one cannot.


def test_a_folder_that_is_not_there(small: Program, tmp_path: Path) -> None:
    path = tmp_path / "no" / "small.loom"
    with pytest.raises(SpikeloomError) as error:
        small.save(path)
    assert str(error.value) == f"cannot write {path}: No such file or directory"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way(small: Program, tmp_path: Path) -> None:
    path = tmp_path / "small.loom"
    path.mkdir()
    with pytest.raises(SpikeloomError, match=r"^cannot write .*: Is a directory$"):
        small.save(path)
    path = tmp_path / "small.loom" / "inner"
    path.write_text("")
    with pytest.raises(SpikeloomError, match=r"^cannot write .*: Not a directory$"):
        small.save(path / "small.loom")
    assert [entry.name for entry in tmp_path.rglob("*")] == ["small.loom", "inner"]


@pytest.mark.parametrize("failing", ["os.fdopen", "pathlib.Path.replace", "shutil.copymode"])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(
    small: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "small.loom"
    path.write_text("old")
    with monkeypatch.context() as patched:
        patched.setattr(failing, fail)
        with pytest.raises(SpikeloomError, match=r"^cannot write .*: No space left on device$"):
            small.save(path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["small.loom"]


def test_an_interrupted_save_leaves_nothing(
    small: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        small.save(tmp_path / "small.loom")
    assert list(tmp_path.iterdir()) == []


def test_a_save_replaces_an_older_file(small: Program, tmp_path: Path) -> None:
    path = tmp_path / "small.loom"
    path.write_text("old")
    small.save(path)
    assert same(Program.load(path), small)


def test_links_and_devices_are_written_to_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    link = tmp_path / "link"
    link.symlink_to("target")
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    write_bytes("/dev/null", b"new")
    assert Path("/dev/null").is_char_device()


def test_default_fabric_holds_the_program(small: Program, tmp_path: Path) -> None:
    other = dataclasses.replace(small, fabric=FabricConfig())
    other.save(tmp_path / "other")
    assert same(Program.load(tmp_path / "other"), other)
