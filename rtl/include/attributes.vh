// SPDX-License-Identifier: MIT
// Attributes that are meant for one tool: before a declaration of nets.
//
//   `KEEP   Yosys keeps these nets as they are, for what it would build across them is larger or slower. Other tools find
//           better forms when nothing holds them.
`ifndef ATTRIBUTES_VH
`define ATTRIBUTES_VH
`ifdef YOSYS
`define KEEP (* keep *)
`else
`define KEEP
`endif
`endif
