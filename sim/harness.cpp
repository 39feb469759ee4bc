// Runs a fabric and reads its counters. Appended to `model.cpp`.

namespace {

constexpr unsigned STEP_PACKET = 2;

// Why `spikeloom_run` returned.
enum Status : int {
    DONE,   // every word was accepted and every step is complete
    FULL,   // no room for another packet: provide more and call again
    PAUSE,  // clock `stop` was reached: call again with a later one
    STUCK,  // no transfer for `patience` clocks
};

}  // namespace

// State of a run between calls. The caller sets the pointers, `length`, `capacity`, `stop` and
// `patience`; the rest belongs to this code and starts at 0.
struct Run {
    const std::uint64_t* words;  // payloads of host_in
    std::uint64_t length;        // number of words
    std::uint64_t taken;         // words accepted by the fabric
    std::int64_t open;           // steps marked and not yet complete
    std::uint64_t clock;         // clocks since the start of the run
    std::uint64_t stop;          // clock before which to pause
    std::uint64_t idle;          // clocks since the last transfer
    std::uint64_t patience;      // limit of `idle`: the fabric is stuck
    std::uint64_t* clocks;       // clock of each packet from host_out
    std::uint64_t* packets;      // their payloads
    std::uint64_t capacity;      // room for packets
    std::uint64_t count;         // packets stored
};

SPIKELOOM_API void spikeloom_counters(void* handle, std::uint32_t* words) {
    get(static_cast<Fabric*>(handle)->top->counters, words);
}

SPIKELOOM_API int spikeloom_run(void* handle, Run* state) {
    auto& fabric = *static_cast<Fabric*>(handle);
    auto& top = *fabric.top;
    // A local copy and references, because the compiler must assume that an evaluation changes the
    // originals.
    Run run = *state;
    auto& in_valid = top.host_in___05Fvalid;
    auto& in_ready = top.host_in___05Fready;
    auto& in_payload = top.host_in___05Fpayload;
    auto& out_valid = top.host_out___05Fvalid;
    auto& out_payload = top.host_out___05Fpayload;

    Status status = DONE;
    for (; run.taken != run.length || run.open != 0; ++run.clock) {
        if (run.clock == run.stop) {
            status = PAUSE;
            break;
        }
        if (run.count == run.capacity) {
            status = FULL;
            break;
        }
        if (run.idle == run.patience) {
            status = STUCK;
            break;
        }
        const bool offer = run.taken != run.length;
        const std::uint64_t word = offer ? run.words[run.taken] : 0;
        in_valid = offer;
        in_payload = static_cast<std::decay_t<decltype(in_payload)>>(word);
#if VM_TRACE
        // For the waveform alone: show the inputs as changing at the rising edge.
        const bool traced = run.clock - fabric.trace_start < fabric.trace_clocks;
        if (traced) {
            fabric.evaluate();
            fabric.trace.dump(2 * run.clock);
        }
#endif
        fabric.settle();
#if VM_TRACE
        if (traced) fabric.trace.dump(2 * run.clock + 1);
#endif
        const bool in = offer && in_ready;
        const bool out = out_valid;
        if (out) {
            const std::uint64_t packet = out_payload;
            run.clocks[run.count] = run.clock;
            run.packets[run.count] = packet;
            ++run.count;
            run.open -= (packet & 3) == STEP_PACKET;
        }
        if (in) {
            ++run.taken;
            run.open += word & 1;
        }
        run.idle = in || out ? 0 : run.idle + 1;
        fabric.rise();
    }
    in_valid = 0;
    *state = run;
    return status;
}

#if VM_TRACE
SPIKELOOM_API void spikeloom_trace(void* handle, const char* path, std::uint64_t start,
                                   std::uint64_t clocks) {
    auto& fabric = *static_cast<Fabric*>(handle);
    fabric.trace_start = start;
    fabric.trace_clocks = clocks;
    fabric.top->trace(&fabric.trace, 99);
    fabric.trace.open(path);
}
#endif
