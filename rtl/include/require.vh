// SPDX-License-Identifier: MIT
// Preconditions, checked in simulation: at an edge of clk at which `when` is true, `holds` is not false.
//
//   `REQUIRE(when, holds, "what went wrong")         in a module body, on a line of its own
//   `REQUIRE_SLOWLY(when, holds, "...")              in benches alone: too slow for whole frames
//
// SIMULATION is defined in every bench and in the Verilated engine, SLOW_CHECKS in benches; for synthesis nothing is
// left. Unknown values pass. FORMAL: what a proof of the module takes for granted, and one of a module around it proves
// (sim/formal).
`ifndef REQUIRE_VH
`define REQUIRE_VH
`define REQUIRE_TEXT(text) begin $display("%m: %s", text); $stop; end
`ifdef FORMAL
`define REQUIRE(when, holds, text) always @(posedge clk) if (when) assert (holds);
`elsif SIMULATION
`define REQUIRE(when, holds, text) always @(posedge clk) if ((when) && !(holds)) `REQUIRE_TEXT(text)
`else
`define REQUIRE(when, holds, text)
`endif
`ifdef SLOW_CHECKS
`define REQUIRE_SLOWLY(when, holds, text) `REQUIRE(when, holds, text)
`else
`define REQUIRE_SLOWLY(when, holds, text)
`endif
`endif
