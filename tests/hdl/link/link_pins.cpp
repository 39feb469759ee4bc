// Plays levels to rx, clock by clock, and keeps those of tx. Follows `model.cpp`.

SPIKELOOM_API void spikeloom_pins(void* handle, const std::uint8_t* rx, std::uint8_t* tx,
                                  std::uint64_t clocks) {
    auto& board = *static_cast<Fabric*>(handle);
    for (std::uint64_t clock = 0; clock < clocks; ++clock) {
        board.top->rx = rx[clock];
        board.settle();
        tx[clock] = board.top->tx;
        board.rise();
    }
}
