// Writes memories through a load port, then waits `idle` clocks. Appended to `model.cpp`.

SPIKELOOM_API void spikeloom_load(void* handle, const std::uint32_t* words, std::uint64_t count,
                                 std::uint64_t idle) {
    auto& fabric = *static_cast<Fabric*>(handle);
    auto& payload = fabric.top->load___05Fpayload;
    fabric.top->load___05Fvalid = 1;
    for (std::uint64_t n = 0; n < count; ++n) {
        set(payload, words);
        words += words_of<std::decay_t<decltype(payload)>>;
        fabric.settle();
        fabric.rise();
    }
    fabric.top->load___05Fvalid = 0;
    for (std::uint64_t n = 0; n < idle; ++n) {
        fabric.settle();
        fabric.rise();
    }
}
