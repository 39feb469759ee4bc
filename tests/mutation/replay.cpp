// Plays a recording to one mutant, up to the first clock in which an output differs. Appended to
// `model.cpp`.

// Rows of 32-bit words, one row for each clock; or, where `bit` is not 0, the bytes of a serial line
// on the lowest output, whatever the clocks in which they come.
struct Recording {
    std::uint64_t clocks;
    const std::uint32_t* inputs;
    const std::uint32_t* outputs;   // expected
    const std::uint32_t* compared;  // the bits of the outputs that are
    const std::uint8_t* heard;      // expected bytes
    std::uint64_t count;            // of them
    std::uint64_t bit;              // clocks per bit
};

namespace {

// Hears bytes: 8 data bits, no parity, 1 stop bit, every bit of the same length.
class Ear {
  public:
    explicit Ear(const Recording& recording)
        : next(recording.heard), end(next + recording.count), bit(recording.bit) {}

    // Whether the level of a clock is as expected.
    bool hears(bool level) {
        if (at == 0 && level) return true;
        if (at % bit == 0) {
            bits = bits >> 1 | std::uint32_t{level} << 9;
        } else if (level != (bits >> 9 & 1)) {
            return false;
        }
        if (++at < 10 * bit) return true;
        at = 0;
        return (bits >> 9 & 1) && next != end && *next++ == (bits >> 1 & 0xff);
    }

    bool all() const { return next == end; }

  private:
    const std::uint8_t* next;
    const std::uint8_t* end;
    std::uint64_t bit;
    std::uint64_t at = 0;  // clocks since the start bit began
    std::uint32_t bits = 0;
};

}  // namespace

// Returns the clock of the first difference, or -1.
SPIKELOOM_API std::int64_t spikeloom_replay(std::uint32_t mutant, const Recording* recording) {
    Fabric fabric;
    auto& top = *fabric.top;
    using Inputs = std::decay_t<decltype(top.inputs)>;
    using Outputs = std::decay_t<decltype(top.outputs)>;
    top.select = mutant;
    top.choice_clk = 1;
    fabric.evaluate();
    const std::uint32_t* inputs = recording->inputs;
    const std::uint32_t* expected = recording->outputs;
    const std::uint32_t* compared = recording->compared;
    std::uint32_t outputs[words_of<Outputs>];
    Ear ear(*recording);
    for (std::uint64_t clock = 0; clock < recording->clocks; ++clock) {
        set(top.inputs, inputs);
        fabric.settle();
        get(top.outputs, outputs);
        std::uint32_t difference = 0;
        if (recording->bit) {
            difference = !ear.hears(outputs[0] & 1);
        } else {
            for (std::size_t n = 0; n < words_of<Outputs>; ++n)
                difference |= (outputs[n] ^ *expected++) & *compared++;
        }
        if (difference) return static_cast<std::int64_t>(clock);
        fabric.rise();
        inputs += words_of<Inputs>;
    }
    return ear.all() ? -1 : static_cast<std::int64_t>(recording->clocks);
}
