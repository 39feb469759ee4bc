"""Register port: AXI4-Lite transfers become accesses of one clock."""

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hdl.axi.buses import ADDRESS_BITS, WORD_BITS, Axi4Lite


class RegisterPort(wiring.Component):
    """Turns AXI4-Lite transfers into accesses of one clock.

    Every output to the bus is a register. Address and data of a write may come in any order.

    Timing: an access accepted in clock n (a write: the later of address and data) is carried out in
    clock n + 1 and answered from clock n + `latency` on, if the previous answer was taken; at most
    one access every two clocks. Reads and writes are independent.

    Members
    -------
    bus : In(Axi4Lite())
        The bus.
    write : Out(1)
        A write is carried out in this clock.
    write_address : Out(ADDRESS_BITS)
        Its byte address.
    write_data : Out(WORD_BITS)
        Its data.
    write_whole : Out(1)
        All byte strobes are 1.
    write_response : In(2)
        The `Response`, in the same clock.
    read : Out(1)
        A read is carried out in this clock.
    read_address : Out(ADDRESS_BITS)
        Its byte address.
    read_data : In(WORD_BITS)
        The data, in the same clock.
    read_response : In(2)
        The `Response`, in the same clock.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "bus": In(Axi4Lite()),
                "write": Out(1),
                "write_address": Out(ADDRESS_BITS),
                "write_data": Out(WORD_BITS),
                "write_whole": Out(1),
                "write_response": In(2),
                "read": Out(1),
                "read_address": Out(ADDRESS_BITS),
                "read_data": In(WORD_BITS),
                "read_response": In(2),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from an access to its answer."""
        return 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus = self.bus
        # `ready` is a register of its own, 0 in reset, so that nothing is accepted there.
        strobes = Signal.like(bus.wstrb)
        address = _held(m, bus.awvalid, bus.awready, self.write, bus.awaddr, self.write_address)
        data = _held(
            m,
            bus.wvalid,
            bus.wready,
            self.write,
            Cat(bus.wdata, bus.wstrb),
            self.write_data,
            strobes,
        )
        m.d.comb += [
            self.write.eq(address & data & (~bus.bvalid | bus.bready)),
            self.write_whole.eq(strobes.all()),
        ]
        with m.If(self.write):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(self.write_response)]
        with m.Elif(bus.bready):
            m.d.sync += bus.bvalid.eq(0)

        address = _held(m, bus.arvalid, bus.arready, self.read, bus.araddr, self.read_address)
        m.d.comb += self.read.eq(address & (~bus.rvalid | bus.rready))
        with m.If(self.read):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rdata.eq(self.read_data),
                bus.rresp.eq(self.read_response),
            ]
        with m.Elif(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        return m


def _held(
    m: Module, valid: Value, ready: Signal, done: Value, payload: Value, *registers: Signal
) -> Signal:
    """Accept `payload` into `registers` and hold it until `done`.

    Returns
    -------
    Whether it is held.
    """
    held = Signal()
    with m.If(held):
        m.d.sync += [held.eq(~done), ready.eq(done)]
    with m.Else():
        taken = valid & ready
        m.d.sync += [held.eq(taken), ready.eq(~taken), Cat(*registers).eq(payload)]
    return held
