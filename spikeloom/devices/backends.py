"""Opens devices by the name of their backend."""

from collections.abc import Callable

from spikeloom.boards.flow import netlist
from spikeloom.boards.flow.design import elaborate
from spikeloom.boards.flow.placement import SEEDS, place_all
from spikeloom.boards.flow.simulation import simulation
from spikeloom.boards.flow.synthesis import synthesise
from spikeloom.boards.registry import board
from spikeloom.boards.tools import WHEELS
from spikeloom.devices.device import Device
from spikeloom.devices.distributed import DistributedDevice
from spikeloom.devices.serial_device import BAUD, SerialDevice
from spikeloom.devices.simulated import GoldenDevice, NetlistDevice, VerilatorDevice
from spikeloom.golden.checks import check_flag
from spikeloom.golden.errors import SpikeloomError
from spikeloom.program import Program
from spikeloom.sim.virtual_board import VirtualBoard

STAGES = ("virtual", "netlist", "routed")
"""Forms of a virtual board: its RTL, its netlist after synthesis, its netlist after routing."""

_NAMES = "golden, verilator, netlist, serial:PORT, virtual:BOARD, netlist:BOARD, routed:BOARD"


def open(program: Program, backend: str = "golden", *, scheduler: str | None = None) -> Device:
    """Open a device that runs `program`.

    Parameters
    ----------
    backend
        "golden": the step-level model. "verilator": the compiled RTL. "netlist": the compiled
        netlist after synthesis, which takes minutes to build the first time. "serial:PORT": a board
        on a serial port. "virtual:BOARD": the RTL of a board with its link, behind a
        pseudo-terminal. "netlist:BOARD", "routed:BOARD": the same with the board's netlist after
        synthesis, or after place and route, whatever clock that reaches. PORT and BOARD may be
        followed by "@" and a baud rate.
    scheduler
        Address of a Dask scheduler, such as "tcp://host:8786": the chunks of a run, 500 samples
        each, go to its workers. For "verilator" only.

    Raises
    ------
    SpikeloomError
        There is no Program, no such backend or board, or its tools are missing.
    """
    if not isinstance(program, Program):
        raise SpikeloomError(
            f"open takes a Program, such as Program.load('model.loom'), not {program!r}"
        )
    if not isinstance(backend, str):
        raise SpikeloomError(f"backend {backend!r} is unknown; use one of {_NAMES}")
    kind, _, target = backend.partition(":")
    name, _, rate = target.partition("@")
    simple: dict[str, Callable[[Program], Device]] = {
        "golden": GoldenDevice,
        "verilator": VerilatorDevice,
        "netlist": NetlistDevice,
    }
    if scheduler is not None:
        if backend != "verilator":
            raise SpikeloomError(
                f"a cluster runs the RTL, not {backend}: use backend verilator or leave out the "
                "scheduler"
            )
        return DistributedDevice(program, scheduler)
    if backend in simple:
        return simple[backend](program)
    if not name or kind not in ("serial", *STAGES):
        raise SpikeloomError(f"backend {backend!r} is unknown; use one of {_NAMES}")
    if "@" in target and not (rate.isascii() and rate.isdigit()):
        raise SpikeloomError(f"backend {backend!r}: {rate!r} is no baud rate")
    baud = int(rate) if rate else None
    if kind == "serial":
        return SerialDevice(program, name, baud or BAUD)
    return VirtualDevice(program, name, kind, baud)


def open_board(
    program: Program,
    name: str,
    port: str | None,
    stage: str = STAGES[0],
    baud: int | None = None,
    bake: bool = False,
) -> SerialDevice:
    """Open a board on a port, or a virtual board.

    Parameters
    ----------
    name
        Name of the board.
    port
        Its serial port; None for a virtual board.
    stage
        For a virtual board, one of `STAGES`.
    baud
        Bits per second; by default the board's.
    bake
        Whether to build a virtual board with the program in its memories.

    Raises
    ------
    SpikeloomError
        There is no such board, or the port has another one.
    """
    check_flag("open_board: bake", bake)
    if port is None:
        return VirtualDevice(program, name, stage, baud, bake)
    if bake:
        raise SpikeloomError(
            "--bake is for a virtual board; a real one is baked by `spikeloom build --bake`"
        )
    wanted = board(name)
    device = SerialDevice(program, port, baud or wanted.baud)
    if device.board.board != wanted.name:
        device.close()
        raise SpikeloomError(f"the board on {port} is {device.board.board}, not {wanted.name}")
    return device


class VirtualDevice(SerialDevice):
    """A simulated board with the program's fabric; see `spikeloom.sim.virtual_board`.

    Parameters
    ----------
    program
        Loaded on construction.
    name
        Name of the board.
    stage
        One of `STAGES`.
    baud
        Bits per second, approximated by the clock divided by an integer; by default the board's. A
        higher rate takes fewer clocks to simulate.
    bake
        Whether to build the board with the program in those memories that its part can initialise.

    Attributes
    ----------
    virtual
        The virtual board.
    """

    def __init__(
        self,
        program: Program,
        name: str,
        stage: str = STAGES[0],
        baud: int | None = None,
        bake: bool = False,
    ) -> None:
        image = program.image if bake else None
        built = elaborate(board(name), program.fabric, baud=baud, image=image)
        if stage == "virtual":
            self.virtual = VirtualBoard(program.fabric, built.link, contents=built.contents)
        else:
            family = built.board.family.name
            if family not in netlist.LIBRARIES:
                raise SpikeloomError(f"{name}: no simulation models for the cells of {family}")
            text = synthesise(built, WHEELS)
            if stage == "routed":
                placements = place_all(built, text, SEEDS, WHEELS)
                best = max(placements, key=lambda placed: placed.fmax_mhz)
                text = best.netlist()
            text = simulation(built, text, WHEELS)
            self.virtual = VirtualBoard(program.fabric, built.link, text)
        try:
            super().__init__(program, self.virtual.port, built.link.baud, self.virtual.patience)
        except BaseException:
            self.virtual.close()
            raise

    def close(self) -> None:
        """Release the port, and end the simulation."""
        super().close()
        self.virtual.close()
