// A second model in the state of the first. Appended to `model.cpp`.

#include <algorithm>
#include <cstring>
#include <string>

#include "verilated_save.h"

namespace {

class Saved final : public VerilatedSerialize {
public:
    std::string bytes;

    void flush() override {
        bytes.append(reinterpret_cast<const char*>(m_bufp), m_cp - m_bufp);
        m_cp = m_bufp;
    }
};

class Restored final : public VerilatedDeserialize {
public:
    explicit Restored(const std::string& bytes) : bytes_(bytes) {
        m_endp = m_bufp;
        fill();
    }

private:
    // Verilator asks for more while fewer bytes are left than a large object may take.
    void fill() override {
        const std::size_t left = m_endp - m_cp;
        std::memmove(m_bufp, m_cp, left);
        const std::size_t more = std::min(bufferSize() - left, bytes_.size() - taken_);
        std::memcpy(m_bufp + left, bytes_.data() + taken_, more);
        taken_ += more;
        m_cp = m_bufp;
        m_endp = m_bufp + left + more;
    }

    const std::string& bytes_;
    std::size_t taken_ = 0;
};

}  // namespace

SPIKELOOM_API void* spikeloom_copy(void* handle) {
    Saved saved;
    saved << *static_cast<Fabric*>(handle)->top;
    saved.flush();
    auto copy = std::make_unique<Fabric>();
    Restored restored(saved.bytes);
    restored >> *copy->top;
    return copy.release();
}
