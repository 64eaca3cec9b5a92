// What a run leaves in the output registers.
#pragma once

#include "legality.hpp"

namespace edgemoe {

struct Results {
    fault_t fault;
    uint32_t program_counter;
    uint64_t experts_run;
    uint64_t segments_dropped;
};

}  // namespace edgemoe
