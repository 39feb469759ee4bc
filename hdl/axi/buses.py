"""Signatures of AXI4-Stream and AXI4-Lite."""

import enum

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

ADDRESS_BITS = 12
WORD_BITS = 32
WORD_BYTES = WORD_BITS // 8


class Response(enum.IntEnum):
    """Answer to an access."""

    OKAY = 0
    SLVERR = 2
    """The register exists and does not take this value."""
    DECERR = 3
    """There is no register at this address."""


def stream_bits(width: int) -> int:
    """Width of TDATA for a payload of `width` bits: whole bytes."""
    return -(-width // 8) * 8


class Axi4Stream(wiring.Signature):
    """An AXI4-Stream, seen from its source.

    Parameters
    ----------
    width
        Bits of TDATA, whole bytes.
    last
        Whether there is TLAST.
    """

    def __init__(self, width: int, *, last: bool) -> None:
        members = {"tdata": Out(width), "tvalid": Out(1), "tready": In(1)}
        super().__init__(members | ({"tlast": Out(1)} if last else {}))


class Axi4Lite(wiring.Signature):
    """The five channels of AXI4-Lite, seen from the manager, with data of `WORD_BITS`."""

    def __init__(self) -> None:
        super().__init__(
            {
                "awaddr": Out(ADDRESS_BITS),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(WORD_BITS),
                "wstrb": Out(WORD_BYTES),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(ADDRESS_BITS),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(WORD_BITS),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )
