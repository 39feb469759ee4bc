// A Verilated fabric, or a part of one, behind a C interface: create, destroy.
//
// A clock has two evaluations. The first, with clk low and the inputs of the clock, settles the
// logic between registers; the outputs are sampled after it, just before the rising edge. The
// second is the rising edge.
//
// The driver is appended to this text, in the same translation unit, and then the model's own code.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "Vfabric.h"
#include "Vfabric___024root.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

#define SPIKELOOM_API extern "C" __attribute__((visibility("default")))

void Vfabric___024root___eval(Vfabric___024root*);

namespace {

// The C++ type of a port depends on its width; callers use 32-bit words, lowest first.

template <class T>
constexpr std::size_t words_of = (sizeof(T) + 3) / 4;

template <class T>
void set(T& port, const std::uint32_t* words) {
    if constexpr (sizeof(T) == 8)
        port = words[0] | static_cast<T>(words[1]) << 32;
    else
        port = static_cast<T>(words[0]);
}

template <std::size_t N>
void set(VlWide<N>& port, const std::uint32_t* words) {
    for (std::size_t n = 0; n < N; ++n) port[n] = words[n];
}

template <class T>
void get(const T& port, std::uint32_t* words) {
    words[0] = static_cast<std::uint32_t>(port);
    if constexpr (sizeof(T) == 8) words[1] = static_cast<std::uint32_t>(port >> 32);
}

template <std::size_t N>
void get(const VlWide<N>& port, std::uint32_t* words) {
    for (std::size_t n = 0; n < N; ++n) words[n] = port[n];
}

struct Fabric {
    VerilatedContext context;
    std::unique_ptr<Vfabric> top;
#if VM_TRACE
    VerilatedVcdC trace;
    std::uint64_t trace_start = 0;
    std::uint64_t trace_clocks = 0;
#endif

    Fabric() {
#if VM_TRACE
        context.traceEverOn(true);
        context.timeunit(-9);
        context.timeprecision(-9);
#endif
        top = std::make_unique<Vfabric>(&context, "");
        top->eval();  // initial values
    }

    // `Vfabric::eval` without its locks, which serve classes and threads: in a model this small,
    // taking them would cost up to a third of the time.
    void evaluate() {
#if VM_TRACE
        top->eval();  // also records changes for a waveform
#else
        Vfabric___024root___eval(top->rootp);
#endif
    }

    void settle() {
        top->clk = 0;
        evaluate();
    }

    void rise() {
        top->clk = 1;
        evaluate();
    }
};

}  // namespace

SPIKELOOM_API void* spikeloom_create() { return new Fabric; }

SPIKELOOM_API void spikeloom_destroy(void* handle) { delete static_cast<Fabric*>(handle); }
