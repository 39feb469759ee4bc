// Drives a design at the pins of its serial line: 8 data bits, no parity, 1 stop bit. Appended to
// `model.cpp`.

// State between calls. The caller sets the first part before every call; the rest belongs to this
// code and starts at 0.
struct Pins {
    std::uint64_t bit;          // clocks per bit
    std::uint64_t clocks;       // to play
    const std::uint8_t* given;  // bytes for rx
    std::uint64_t length;       // of them
    std::uint8_t* received;     // bytes from tx, with room for all of `clocks`

    std::uint64_t taken;         // bytes of `given` begun in this call
    std::uint64_t count;         // bytes received in this call
    std::uint64_t broken;        // bytes from tx whose stop bit was 0
    std::uint64_t quiet;         // clocks since the last activity on either line
    std::uint64_t send_left;     // remaining clocks of the byte on rx
    std::uint64_t send_bits;     // its bits, the stop bit last
    std::uint64_t receive_at;    // clocks since the byte on tx began, plus 1; 0 without one
    std::uint64_t receive_bits;  // its bits so far
};

SPIKELOOM_API void spikeloom_pins(void* handle, Pins* state) {
    auto& fabric = *static_cast<Fabric*>(handle);
    auto& rx = fabric.top->rx;
    auto& tx = fabric.top->tx;
    Pins pins = *state;
    pins.taken = pins.count = 0;
    for (std::uint64_t clock = 0; clock < pins.clocks; ++clock) {
        ++pins.quiet;
        if (pins.send_left == 0 && pins.taken != pins.length) {
            pins.send_bits = std::uint64_t{pins.given[pins.taken++]} << 1 | 1 << 9;
            pins.send_left = 10 * pins.bit;
        }
        rx = 1;
        if (pins.send_left != 0) {
            rx = pins.send_bits >> (9 - (pins.send_left - 1) / pins.bit) & 1;
            --pins.send_left;
            pins.quiet = 0;
        }
        fabric.settle();
        if (pins.receive_at == 0 && !tx) pins.receive_at = 1;
        if (pins.receive_at != 0) {
            // Bits are sampled in the middle.
            const std::uint64_t at = pins.receive_at - 1;
            if (at % pins.bit == pins.bit / 2) {
                pins.receive_bits = pins.receive_bits >> 1 | std::uint64_t{tx} << 9;
                if (at / pins.bit == 9) {
                    if (tx)
                        pins.received[pins.count++] = pins.receive_bits >> 1 & 0xff;
                    else
                        ++pins.broken;
                    pins.receive_at = 0;
                }
            }
            if (pins.receive_at != 0) ++pins.receive_at;
            pins.quiet = 0;
        }
        fabric.rise();
    }
    *state = pins;
}
