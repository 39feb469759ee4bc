// Reads memories through the read port. Appended to `model.cpp` where the fabric has one.

// Fetches `count` bytes, one for each word at the port, `clocks` clocks after it.
SPIKELOOM_API void spikeloom_read(void* handle, const std::uint32_t* words, std::uint64_t count,
                                  std::uint64_t clocks, std::uint8_t* bytes) {
    auto& fabric = *static_cast<Fabric*>(handle);
    auto& word = fabric.top->read___05Fword;
    fabric.top->read___05Factive = 1;
    for (std::uint64_t n = 0; n < count; ++n) {
        set(word, words);
        words += words_of<std::decay_t<decltype(word)>>;
        for (std::uint64_t clock = 0; clock < clocks; ++clock) {
            fabric.settle();
            fabric.rise();
        }
        fabric.settle();
        bytes[n] = fabric.top->read___05Fdata;
    }
    fabric.top->read___05Factive = 0;
    // The port is the fabric's own again when the last word has left the tree.
    for (std::uint64_t clock = 0; clock <= clocks; ++clock) {
        fabric.settle();
        fabric.rise();
    }
}
