// SPDX-License-Identifier: MIT
// ⌊value / 3⌋ by shifts and additions, as a third is 0.010101…₂:
//
//   result = ⌊(2·value·5·17·257 + value) / 2^17⌋,  exact below 2^16: 43691 / 2^17 = 1/3 + 1/(3·2^17)
//
// Latency: 2. Depth: two additions of 23 bits; two of 33.
`default_nettype none
module third (
    input  wire        clk,
    input  wire [15:0] value,
    output reg  [15:0] result
);
    wire [18:0] times_5 = {3'b000, value} + {1'b0, value, 2'b00};
    reg [15:0] value_1;
    reg [22:0] times_85;
    wire [30:0] times_21845 = {8'd0, times_85} + {times_85, 8'd0};
    wire [32:0] scaled = {1'b0, times_21845, 1'b0} + {17'd0, value_1};
    wire unused = &{1'b0, scaled[16:0]};
    always @(posedge clk) begin
        value_1 <= value;
        times_85 <= {4'd0, times_5} + {times_5, 4'd0};
        result <= scaled[32:17];
    end
endmodule
`default_nettype wire
