"""Proofs about the mesh and the collector, for ever and for any content of the route tables."""

import pytest
from delivery import CollectorDelivery, Delivery, MeshDelivery, Progress, RouterDelivery
from soaked import all_but
from specs import tiny

from spikeloom.golden.spec import FACING, TURNS, FabricConfig, Port
from spikeloom.hdl.mesh.collector import CollectorNode
from spikeloom.hdl.mesh.router import Router, RouterInput, RouterOutput
from spikeloom.sim.formal import SMT, Mode, verify


def mesh(columns: int, rows: int) -> FabricConfig:
    return tiny(columns=columns, rows=rows, slots=3)


def inductive(spec: Delivery) -> str:
    return verify(spec, Mode.PROVE, depth=1, engine=SMT).status


@pytest.mark.parametrize("tile", [0, 4], ids=["corner", "middle"])
def test_router_delivers(tile: int) -> None:
    assert inductive(RouterDelivery(mesh(3, 3), tile)) == "PASS"


MESHES = [(2, 1), (1, 2), (3, 1), (1, 3), (2, 2)]


@pytest.mark.parametrize("size", all_but({(2, 1), (1, 2)}, MESHES), ids=str)
def test_mesh_delivers(size: tuple[int, int]) -> None:
    assert inductive(MeshDelivery(mesh(*size))) == "PASS"


def test_mesh_delivers_something() -> None:
    assert verify(MeshDelivery(mesh(2, 1)), Mode.COVER, depth=12).status == "PASS"


LARGER = [(2, 1), (3, 1), (1, 3), (2, 2), (3, 2), (3, 3)]


@pytest.mark.parametrize("size", all_but({(2, 1), (2, 2), (3, 3)}, LARGER), ids=str)
def test_mesh_never_locks_up(size: tuple[int, int]) -> None:
    assert inductive(Progress(mesh(*size))) == "PASS"


def test_mesh_can_be_full() -> None:
    assert verify(Progress(mesh(2, 1)), Mode.COVER, depth=16).status == "PASS"


@pytest.mark.parametrize("size", [(2, 1), (1, 2), (2, 2), (3, 3)], ids=str)
def test_collector_delivers(size: tuple[int, int]) -> None:
    assert inductive(CollectorDelivery(mesh(*size))) == "PASS"


def test_collector_delivers_something() -> None:
    assert verify(CollectorDelivery(mesh(2, 2)), Mode.COVER, depth=10).status == "PASS"


ROUTER_FAULTS = {
    "leaves twice": (RouterInput, "queue[0].wants.eq(left)", "queue[0].wants.eq(self.wants)"),
    "lost when full": (RouterInput, "level + l_valid < config.buffer", "level <= config.buffer"),
    "unseen": (RouterOutput, "self.pending.eq(self.packet.valid & (", "self.pending.eq(0 & ("),
    "grant for another port": (
        Router,
        "inputs[entry].granted[bit].eq(unit.granted[number])",
        "inputs[entry].granted[-1 - bit].eq(unit.granted[number])",
    ),
    "head of another": (
        Router,
        "unit.heads[number].eq(inputs[entry].head)",
        "unit.heads[number].eq(inputs[port].head)",
    ),
    "one input forgotten": (Router, "Cat(pending).any()", "Cat(pending[1:]).any()"),
}
COLLECTOR_FAULTS = {
    "overwritten": (CollectorNode, "arbiter.enable.eq(level < DEPTH)", "arbiter.enable.eq(1)"),
    "overtaken": (CollectorNode, "second.eq((level == 1) & ~popped)", "second.eq(level == 1)"),
    "sent again": (CollectorNode, "queue[0].eq(queue[1])", "queue[1].eq(queue[0])"),
}


def refuted(spec: Delivery, depth: int = 10) -> bool:
    """Whether the claims fail within `depth` clocks; the invariants are not among them."""
    spec.with_lemmas = False
    return verify(spec, Mode.BMC, depth=depth).status == "FAIL"


@pytest.mark.parametrize("fault", ROUTER_FAULTS)
def test_broken_router(fault: str) -> None:
    assert refuted(RouterDelivery(mesh(3, 3), 4, ROUTER_FAULTS[fault]))


@pytest.mark.parametrize("fault", COLLECTOR_FAULTS)
def test_broken_collector(fault: str) -> None:
    assert refuted(CollectorDelivery(mesh(2, 1), COLLECTOR_FAULTS[fault]))


def test_turns_back_lock_up() -> None:
    fault = (
        Router,
        "turns = tuple(turn for turn in TURNS[port] if turn in exits)",
        "turns = tuple(exits)",
    )
    assert refuted(Progress(mesh(2, 1), fault), depth=16)


@pytest.mark.parametrize("columns", range(1, 9))
@pytest.mark.parametrize("rows", range(1, 9))
def test_no_links_wait_for_each_other(columns: int, rows: int) -> None:
    """An input waits only for outputs further on, on every mesh."""
    config = FabricConfig(columns=columns, rows=rows)
    waits: dict[tuple[int, Port], set[tuple[int, Port]]] = {}
    for tile in range(config.tiles):
        for port in (*config.links(tile), Port.LOCAL):
            waits[tile, port] = {
                (other, FACING[turn])
                for turn in TURNS[port]
                if (other := config.neighbour(tile, turn)) is not None
            }
    while waits:  # take away those that wait for nothing
        done = {link for link, others in waits.items() if not others & waits.keys()}
        assert done, "a cycle"
        for link in done:
            del waits[link]
