// COPY: rows of the residual stream to other rows, a whole tile of source rows and one vector of each a cycle.
//
//   RESIDUAL[destination_row + row] = RESIDUAL[source_row + row],  row < rows; the two ranges do not overlap
//
// Tiles of source rows are read in order, so depths only count up. With turn = (destination_row − source_row) mod
// TOKEN_PAR, bank d is written from bank d − turn (mod TOKEN_PAR), one tile further where d < turn. Rows of a tile
// that are before the first or after the last of the range are masked.
// Precondition: fields are held while busy; rows and vectors are at least 1; residual_values 2 cycles after read_depth.
// Latency: busy for tiles touched by the source · vectors + 5 cycles.
// Depth: a 16-bit addition; a TOKEN_PAR:1 multiplexer; one multiplication.
module copy (
    clk, rst_n, start, rows, vectors, source_row, destination_row, busy,
    read_depth, residual_values, write_enable, write_depth, write_values
);
`include "edgemoe_spec.vh"
    localparam BANK_BITS = $clog2(TOKEN_PAR);
    localparam DEPTH_BITS = 16;
    localparam VECTOR_BITS = 11;
    localparam WIDTH = 16 * RESIDUAL_BITS;

    input                                      clk;
    input                                      rst_n;
    input                                      start;
    input      [15:0]                          rows;
    input      [VECTOR_BITS-1:0]               vectors;
    input      [15:0]                          source_row;
    input      [15:0]                          destination_row;
    output                                     busy;
    output reg [DEPTH_BITS-1:0]                read_depth;
    input      [TOKEN_PAR*WIDTH-1:0]           residual_values;
    output reg [TOKEN_PAR-1:0]                 write_enable;
    output reg [TOKEN_PAR*DEPTH_BITS-1:0]      write_depth;
    output reg [TOKEN_PAR*WIDTH-1:0]           write_values;

    // What follows from the fields: turn, tiles, first depths. Bank 0 of the first source tile goes to bank `turn` of
    // first_written_tile, which is one before destination_row's own where that row's bank is the smaller one.
    wire [BANK_BITS-1:0] source_bank = source_row[BANK_BITS-1:0];
    wire [BANK_BITS-1:0] destination_bank = destination_row[BANK_BITS-1:0];
    wire [15:0] last_row = source_row + rows - 16'd1;
    reg [BANK_BITS-1:0] turn, first_bank, last_bank;
    reg [15:0] first_tile, last_tile, first_written_tile, tiles_left;
    reg [DEPTH_BITS-1:0] first_depth, first_written_depth;
    reg [2:1] loading;
    always @(posedge clk) begin
        loading <= rst_n ? {loading[1], start} : 2'd0;
        turn <= destination_bank - source_bank;
        first_bank <= source_bank;
        last_bank <= last_row[BANK_BITS-1:0];
        first_tile <= source_row >> BANK_BITS;
        last_tile <= last_row >> BANK_BITS;
        first_written_tile <= (destination_row >> BANK_BITS) - {15'd0, destination_bank < source_bank};
        first_depth <= first_tile * vectors;
        first_written_depth <= first_written_tile * vectors;
    end

    // Reading: `running` from the cycle in which read_depth is the first one.
    reg running, first, last;
    reg [VECTOR_BITS-1:0] vectors_left;
    reg [DEPTH_BITS-1:0] depth_to_write;
    always @(posedge clk) begin
        if (loading[2]) begin
            running <= 1'b1;
            first <= 1'b1;
            last <= first_tile == last_tile;
            tiles_left <= last_tile - first_tile;
            vectors_left <= vectors;
            read_depth <= first_depth;
            depth_to_write <= first_written_depth;
        end else if (running) begin
            read_depth <= read_depth + 1'b1;
            depth_to_write <= depth_to_write + 1'b1;
            vectors_left <= vectors_left - 1'b1;
            if (vectors_left == 1) begin
                vectors_left <= vectors;
                tiles_left <= tiles_left - 16'd1;
                first <= 1'b0;
                last <= tiles_left == 1;
                if (last) running <= 1'b0;
            end
        end
        if (!rst_n) running <= 1'b0;
    end

    function [BANK_BITS-1:0] origin;  // the bank from which a bank is written
        input [BANK_BITS-1:0] written;
        input [BANK_BITS-1:0] turned_by;
        origin = written - turned_by;
    endfunction

    // Which banks hold a row of the range; the same, turned, for what is written.
    reg [TOKEN_PAR-1:0] held, held_1, turned;
    reg [2:1] valid;
    reg [DEPTH_BITS-1:0] depth_1, depth_2;
    integer bank, from, place;
    always @* begin
        for (bank = 0; bank < TOKEN_PAR; bank = bank + 1)
            held[bank] = !(first && bank[BANK_BITS-1:0] < first_bank) && !(last && bank[BANK_BITS-1:0] > last_bank);
        for (from = 0; from < TOKEN_PAR; from = from + 1)
            turned[from] = held_1[origin(from[BANK_BITS-1:0], turn)];
    end

    reg [TOKEN_PAR-1:0] turned_2;
    always @(posedge clk) begin
        valid <= rst_n ? {valid[1], running} : 2'd0;
        held_1 <= held;
        depth_1 <= depth_to_write;
        turned_2 <= turned;
        depth_2 <= depth_1;
        write_enable <= turned_2 & {TOKEN_PAR{valid[2]}} & {TOKEN_PAR{rst_n}};
        if (valid[2])
            for (place = 0; place < TOKEN_PAR; place = place + 1) begin
                write_values[place*WIDTH +: WIDTH] <= residual_values[origin(place[BANK_BITS-1:0], turn)*WIDTH +: WIDTH];
                write_depth[place*DEPTH_BITS +: DEPTH_BITS] <=
                    place[BANK_BITS-1:0] < turn ? depth_2 + {{(DEPTH_BITS-VECTOR_BITS){1'b0}}, vectors} : depth_2;
            end
    end
    assign busy = |loading || running || |valid || |write_enable;
endmodule
