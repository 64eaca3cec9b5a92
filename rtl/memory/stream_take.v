// SPDX-License-Identifier: MIT
// Whether stream_reader takes lines from the weight buffer in this cycle: what it wants is there, and there is room for
// it. The second narrow tile of a line has been taken with the first.
//
// A module of its own because the buffer's bookkeeping waits for `take`, while each part of it drives counters of the
// reader: in one module synthesis makes it of those loaded nets.
// Latency: combinational, two levels of logic.
`default_nettype none
module stream_take (
    input  wire wants_channels,
    input  wire wants_tile,
    input  wire wants_line,
    input  wire wants_header,
    input  wire second,
    input  wire enough_channels,
    input  wire enough_tile,
    input  wire one_available,
    input  wire channel_room,
    input  wire tile_room,
    input  wire line_room,
    output wire take
);
    wire channels = wants_channels && enough_channels && channel_room;
    wire tile = wants_tile && !second && enough_tile && tile_room;
    assign take = channels || tile || (one_available && (wants_header || (wants_line && line_room)));
endmodule
`default_nettype wire
