// Plays precomputed packets to a mesh of routers alone. Appended to `model.cpp`.
//
// The ports, those of `sim.traffic.rtl`, have a lane of 64 bits for each source: the tiles, then
// the host.

namespace {

constexpr std::uint64_t VALID = std::uint64_t{1} << 63;  // in a lane of `offers`
constexpr std::uint64_t GIVEN = std::uint64_t{1} << 63;  // in a lane of `results`
constexpr std::uint64_t TAKEN = std::uint64_t{1} << 62;
constexpr std::uint64_t PACKET = TAKEN - 1;

template <class T>
std::uint64_t lane(const T& port, std::size_t n) {
    return port[2 * n] | static_cast<std::uint64_t>(port[2 * n + 1]) << 32;
}

}  // namespace

// State of a run between calls. The caller sets the first part once and the second before every
// call. The third belongs to this code and starts at 0, except `next`, which starts at the first
// packet of each source.
struct Traffic {
    const std::uint64_t* packets;    // of all sources, source by source
    const std::uint64_t* births;     // for each packet the first clock in which it may be offered
    const std::uint64_t* ends;       // for each source the end of its packets
    const std::uint64_t* listening;  // for each clock a bit per tile: its sink is ready
    std::uint64_t period;            // clocks after which `listening` repeats
    std::uint64_t patience;          // clocks without a transfer after which the run is over

    std::uint64_t stop;    // clock before which to pause
    std::uint32_t* trace;  // room for the probe words of all clocks of the call, or null

    std::uint64_t* next;    // for each source the packet that it offers
    std::uint64_t* taken;   // for each packet the clock of its acceptance
    std::uint64_t* given;   // packets in order of delivery
    std::uint64_t* clocks;  // for each delivery its clock
    std::uint64_t* tiles;   // for each delivery its tile
    std::uint64_t room;     // room for deliveries; further ones are only counted
    std::uint64_t count;    // deliveries
    std::uint64_t clock;
    std::uint64_t idle;  // clocks since the last transfer, or since a packet might be offered
};

// Returns whether the run is over.
SPIKELOOM_API int spikeloom_traffic(void* handle, Traffic* state) {
    auto& fabric = *static_cast<Fabric*>(handle);
    auto& top = *fabric.top;
    Traffic run = *state;
    constexpr std::size_t sources = sizeof(top.offers) / sizeof(std::uint64_t);

    for (; run.clock != run.stop && run.idle != run.patience; ++run.clock) {
        const std::uint64_t ready = run.listening[run.clock % run.period];
        const std::uint32_t halves[] = {static_cast<std::uint32_t>(ready),
                                        static_cast<std::uint32_t>(ready >> 32)};
        set(top.listening, halves);
        bool waiting = false;
        for (std::size_t source = 0; source < sources; ++source) {
            const std::uint64_t n = run.next[source];
            const bool left = n != run.ends[source];
            const bool born = left && run.births[n] <= run.clock;
            const std::uint64_t offer = born ? run.packets[n] | VALID : 0;
            top.offers[2 * source] = static_cast<std::uint32_t>(offer);
            top.offers[2 * source + 1] = static_cast<std::uint32_t>(offer >> 32);
            waiting |= left && !born;
        }
        fabric.settle();
        if (run.trace) {
            get(top.probe, run.trace);
            run.trace += words_of<std::decay_t<decltype(top.probe)>>;
        }
        bool moved = false;
        for (std::size_t source = 0; source < sources; ++source) {
            const std::uint64_t result = lane(top.results, source);
            if (result & TAKEN) run.taken[run.next[source]++] = run.clock;
            if (result & GIVEN) {
                if (run.count < run.room) {
                    run.given[run.count] = result & PACKET;
                    run.clocks[run.count] = run.clock;
                    run.tiles[run.count] = source;
                }
                ++run.count;
            }
            moved |= (result & (TAKEN | GIVEN)) != 0;
        }
        run.idle = moved || waiting ? 0 : run.idle + 1;
        fabric.rise();
    }
    *state = run;
    return run.idle == run.patience;
}
