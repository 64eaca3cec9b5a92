// Pins of the Verilated top, by port name. EDGEMOE_PORTS, the weight ports of this build, comes with the build,
// as do the bits of the control register.
#pragma once

#include <vector>

#include "Vtop.h"
#include "axi_port.hpp"
#include "edgemoe_build.hpp"

namespace device {

#define EDGEMOE_ADDRESS(top, port, channel)                                                          \
    {&top.m_axi_##port##_##channel##VALID, &top.m_axi_##port##_##channel##READY,                     \
     &top.m_axi_##port##_##channel##ADDR,  &top.m_axi_##port##_##channel##LEN,                       \
     &top.m_axi_##port##_##channel##SIZE,  &top.m_axi_##port##_##channel##BURST}

#define EDGEMOE_READ(top, port)                                                                      \
    ReadPins {                                                                                       \
        EDGEMOE_ADDRESS(top, port, AR), &top.m_axi_##port##_RVALID, &top.m_axi_##port##_RREADY,      \
            top.m_axi_##port##_RDATA.data(), &top.m_axi_##port##_RLAST, &top.m_axi_##port##_RRESP    \
    }

inline ReadPins data_read_pins(Vtop &top) { return EDGEMOE_READ(top, gmem_data); }

inline WritePins data_write_pins(Vtop &top) {
    return {EDGEMOE_ADDRESS(top, gmem_data, AW), &top.m_axi_gmem_data_WVALID, &top.m_axi_gmem_data_WREADY,
            top.m_axi_gmem_data_WDATA.data(),    &top.m_axi_gmem_data_WSTRB,  &top.m_axi_gmem_data_WLAST,
            &top.m_axi_gmem_data_BVALID,         &top.m_axi_gmem_data_BREADY, &top.m_axi_gmem_data_BRESP};
}

inline std::vector<ReadPins> weight_pins(Vtop &top) {
    return {
        EDGEMOE_READ(top, gmem0),
#if EDGEMOE_PORTS > 1
        EDGEMOE_READ(top, gmem1),
#endif
#if EDGEMOE_PORTS > 2
        EDGEMOE_READ(top, gmem2), EDGEMOE_READ(top, gmem3),
#endif
    };
}

// The weight port that wants to write, if any: their write channels are to be tied off.
inline const char *writing_weight_port(const Vtop &top) {
    if (top.m_axi_gmem0_AWVALID || top.m_axi_gmem0_WVALID) return "gmem0";
#if EDGEMOE_PORTS > 1
    if (top.m_axi_gmem1_AWVALID || top.m_axi_gmem1_WVALID) return "gmem1";
#endif
#if EDGEMOE_PORTS > 2
    if (top.m_axi_gmem2_AWVALID || top.m_axi_gmem2_WVALID) return "gmem2";
    if (top.m_axi_gmem3_AWVALID || top.m_axi_gmem3_WVALID) return "gmem3";
#endif
    return nullptr;
}

// Verilator keeps words that some compilers reserve out of the way.
inline bool interrupt_pin(const Vtop &top) { return top.__SYM__interrupt; }

#undef EDGEMOE_READ
#undef EDGEMOE_ADDRESS

}  // namespace device
