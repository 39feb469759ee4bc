
// The reference of the fast runner: a minimal loop around the same model.
// Appended to the harness, so that both are compiled together.

// `clocks` clocks in which words are fed as they are taken, and nothing is looked at.
// `words` has one more after the last, which is not valid.
SPIKELOOM_API void empty_busy(void* handle, const std::uint64_t* words, std::uint64_t length,
                              std::uint64_t clocks) {
    auto& fabric = *static_cast<Fabric*>(handle);
    auto& top = *fabric.top;
    std::uint64_t taken = 0;
    for (std::uint64_t n = 0; n < clocks; ++n) {
        top.host_in___05Fvalid = taken != length;
        top.host_in___05Fpayload = words[taken];
        fabric.settle();
        taken += top.host_in___05Fready;
        fabric.rise();
    }
    top.host_in___05Fvalid = 0;
}

// The same through Verilator's `eval`.
SPIKELOOM_API void empty_eval(void* handle, const std::uint64_t* words, std::uint64_t length,
                              std::uint64_t clocks) {
    auto& top = *static_cast<Fabric*>(handle)->top;
    std::uint64_t taken = 0;
    for (std::uint64_t n = 0; n < clocks; ++n) {
        top.host_in___05Fvalid = taken != length;
        top.host_in___05Fpayload = words[taken];
        top.clk = 0;
        top.eval();
        taken += top.host_in___05Fready;
        top.clk = 1;
        top.eval();
    }
    top.host_in___05Fvalid = 0;
}

// `clocks` clocks in which nothing goes in.
SPIKELOOM_API void empty_idle(void* handle, std::uint64_t clocks) {
    auto& fabric = *static_cast<Fabric*>(handle);
    for (std::uint64_t n = 0; n < clocks; ++n) {
        fabric.settle();
        fabric.rise();
    }
}
