"""Backends by name: where a Program can run."""

from collections.abc import Callable

from spikeloom.boards.flow import netlist
from spikeloom.boards.flow.design import elaborate
from spikeloom.boards.flow.placement import SEEDS, place_all
from spikeloom.boards.flow.simulation import simulation
from spikeloom.boards.flow.synthesis import synthesise
from spikeloom.boards.registry import board
from spikeloom.boards.tools import WHEELS
from spikeloom.devices.device import Device, GoldenDevice, NetlistDevice, VerilatorDevice
from spikeloom.devices.serial_device import BAUD, SerialDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.program import Program
from spikeloom.sim.virtual_board import VirtualBoard

STAGES = ("virtual", "netlist", "routed")
"""What can stand in for a board: its RTL, its netlist after synthesis, or after routing."""

_NAMES = "golden, verilator, netlist, serial:PORT, virtual:BOARD, netlist:BOARD, routed:BOARD"


def open(program: Program, backend: str = "golden") -> Device:
    """A device that runs `program`.

    Parameters
    ----------
    backend
        "golden": the step-level model. "verilator": the RTL, compiled. "netlist": what synthesis
        makes of it, compiled; takes minutes to build the first time. "serial:PORT": a board on a
        serial port. "virtual:BOARD": the RTL of a board with its link, behind a pseudo-terminal.
        "netlist:BOARD", "routed:BOARD": the same for the board's netlist after synthesis, and after
        place and route, whatever clock that reaches. A PORT or BOARD may end in "@" and a baud
        rate.

    Raises
    ------
    SpikeloomError
        The backend is unknown, its tools are missing, or there is no such board.
    """
    kind, _, place = backend.partition(":")
    name, _, rate = place.partition("@")
    simple: dict[str, Callable[[Program], Device]] = {
        "golden": GoldenDevice,
        "verilator": VerilatorDevice,
        "netlist": NetlistDevice,
    }
    if backend in simple:
        return simple[backend](program)
    if not name or kind not in ("serial", *STAGES):
        raise SpikeloomError(f"backend {backend!r} is unknown; use one of {_NAMES}")
    if "@" in place and not (rate.isascii() and rate.isdigit()):
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
    """A board on a port, or what stands in for it.

    Parameters
    ----------
    name
        Of the board.
    port
        Its serial port; None for a virtual board.
    stage
        One of `STAGES`, for a virtual board.
    baud
        Bits per second; the board's if not given.
    bake
        Whether a virtual board is built with the program.

    Raises
    ------
    SpikeloomError
        There is no such board, or another one on the port.
    """
    if port is None:
        return VirtualDevice(program, name, stage, baud, bake)
    if bake:
        raise SpikeloomError(
            "--bake is for a virtual board: what is in that on the port, `spikeloom build` says"
        )
    device = SerialDevice(program, port, baud or board(name).baud)
    if device.board.board != name:
        device.close()
        raise SpikeloomError(f"the board on {port} is {device.board.board}, not {name}")
    return device


class VirtualDevice(SerialDevice):
    """A board in simulation, of the program's fabric; see `spikeloom.sim.virtual_board`.

    Parameters
    ----------
    program
        Loaded at once.
    name
        Of the board.
    stage
        One of `STAGES`.
    baud
        Bits per second, which the clock divided by an integer comes near to; the board's if not
        given. A simulation takes fewer clocks with more of them.
    bake
        Whether the board is built with the program, as far as its part can be.

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
        made = elaborate(board(name), program.fabric, baud=baud, image=image)
        if stage == "virtual":
            self.virtual = VirtualBoard(program.fabric, made.link, contents=made.contents)
        else:
            family = made.board.family.name
            if family not in netlist.LIBRARIES:
                raise SpikeloomError(f"{name}: there are no models of the cells of {family}")
            text = synthesise(made, WHEELS)
            if stage == "routed":
                placements = place_all(made, text, SEEDS, WHEELS)
                best = max(placements, key=lambda placed: placed.fmax_mhz)
                text = best.netlist()
            text = simulation(made, text, WHEELS)
            self.virtual = VirtualBoard(program.fabric, made.link, text)
        try:
            super().__init__(program, self.virtual.port, made.link.baud, self.virtual.patience)
        except BaseException:
            self.virtual.close()
            raise

    def close(self) -> None:
        """Give the port back, and end the simulation."""
        super().close()
        self.virtual.close()
