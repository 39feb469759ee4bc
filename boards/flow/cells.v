// Models of the cells that the libraries of Yosys only declare. boards/flow/netlist.py refuses the uses they
// do not cover: registers in pins and multipliers, output registers of block RAM, LUTs joined into wide ones.

module WIRE(input I, output O);
  assign O = I;
endmodule

module INVERTER(input I, output O);
  assign O = ~I;
endmodule

// iCE40 logic cell: a LUT, the carry beside it, and a register that may follow it. The model of Yosys
// tests for unconnected inputs, which Verilator does not support.
module ICE40_LOGIC_CELL #(
  parameter [15:0] LUT_INIT = 0,
  parameter [0:0] NEG_CLK = 0,
  parameter [0:0] CARRY_ENABLE = 0,
  parameter [0:0] DFF_ENABLE = 0,
  parameter [0:0] SET_NORESET = 0,
  parameter [0:0] ASYNC_SR = 0,
  parameter [0:0] CIN_CONST = 0,
  parameter [0:0] CIN_SET = 0
) (
  input I0, I1, I2, I3, CIN, CLK, CEN, SR,
  output LO, O, COUT
);
  wire carry = CIN_CONST ? CIN_SET : CIN;
  assign COUT = CARRY_ENABLE & ((I1 & I2) | ((I1 | I2) & carry));
  assign LO = LUT_INIT[{I3, I2, I1, I0}];
  generate
    if (!DFF_ENABLE) begin : combinational
      assign O = LO;
    end else begin : register
      reg q = 1'b0;
      wire clock = CLK ^ NEG_CLK;
      assign O = q;
      if (ASYNC_SR) begin : asynchronous
        always @(posedge clock or posedge SR)
          if (SR) q <= SET_NORESET;
          else if (CEN) q <= LO;
      end else begin : synchronous
        always @(posedge clock)
          if (CEN) q <= SR ? SET_NORESET : LO;
      end
    end
  endgenerate
endmodule

// ECP5 LUT with register apart, in its three uses: logic, half of a carry pair, RAM of 16x1 bits,
// whose contents are the table of the LUT. The bits of an address are D, B, C, A, lowest first.
module ECP5_LUT #(
  parameter MODE = "LOGIC",
  parameter [15:0] INITVAL = 16'h0,
  parameter CCU2_INJECT1 = "NO"
) (
  input A, B, C, D, M, FCI, F1, FXA, FXB, DI0, DI1,
  input WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
  output F, FCO, OFX
);
  wire lut = INITVAL[{D, C, B, A}];
  assign OFX = 1'b0;
  generate
    if (MODE == "CCU2") begin : carry
      wire generated = CCU2_INJECT1 != "YES" & INITVAL[{2'b00, B, A}];
      assign F = lut ^ (CCU2_INJECT1 != "YES" & FCI);
      assign FCO = lut ? FCI : generated;
    end else if (MODE == "DPRAM") begin : memory
      reg [15:0] bits = INITVAL;
      always @(posedge WCK) if (WRE) bits[{WAD0, WAD2, WAD1, WAD3}] <= WD;
      assign F = bits[{D, C, B, A}];
      assign FCO = 1'b0;
    end else begin : logic_only
      assign F = lut;
      assign FCO = 1'b0;
    end
  endgenerate
endmodule

// ECP5, write side of four LUTs that are RAM of 16x4 bits (FPGA-DS-02012): it passes address and data.
// Which input is which follows from the wiring in a slice.
module TRELLIS_RAMW(
  input A0, B0, C0, D0, A1, B1, C1, D1,
  output WADO0, WADO1, WADO2, WADO3, WDO0, WDO1, WDO2, WDO3
);
  assign {WADO3, WADO2, WADO1, WADO0} = {A0, C0, B0, D0};
  assign {WDO3, WDO2, WDO1, WDO0} = {B1, D1, A1, C1};
endmodule

// ECP5 DSP slice as a plain multiplier (FPGA-TN-02205).
module ECP5_MULTIPLIER(
  input [17:0] A, B, C, SRIA, SRIB,
  input [3:0] CLK, CE, RST,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  output [17:0] SROA, SROB, ROA, ROB, ROC,
  output [35:0] P,
  output SIGNEDP
);
  wire [35:0] a = {{18{SIGNEDA & A[17]}}, A};
  wire [35:0] b = {{18{SIGNEDB & B[17]}}, B};
  assign P = a * b;
  assign SIGNEDP = SIGNEDA | SIGNEDB;
  assign ROA = A;
  assign ROB = B;
  assign ROC = C;
  assign SROA = 18'b0;
  assign SROB = 18'b0;
endmodule

// ECP5 block RAM of 18 kbit, DP16KD (FPGA-TN-02204). An address counts bits: the low ones of a wide
// port are byte enables of a write. A port of 36 bits has its upper half on the other port's data.
// 1, 2 and 4 bits leave the ninth bit of a byte alone. A reset clears the output with the clock.
module ECP5_RAM #(
  parameter DATA_WIDTH_A = 18,
  parameter DATA_WIDTH_B = 18,
  parameter WRITEMODE_A = "NORMAL",
  parameter WRITEMODE_B = "NORMAL",
  parameter [18431:0] INIT = 18432'b0
) (
  input [13:0] ADA, ADB,
  input [17:0] DIA, DIB,
  output [17:0] DOA, DOB,
  input [2:0] CSA, CSB,
  input CLKA, CEA, OCEA, WEA, RSTA,
  input CLKB, CEB, OCEB, WEB, RSTB
);
  localparam WIDE = DATA_WIDTH_A == 36;
  reg [17:0] memory [0:1023];
  reg [35:0] a = 36'b0;
  reg [35:0] b = 36'b0;
  integer row;
  initial for (row = 0; row < 1024; row = row + 1) memory[row] = INIT[18 * row +: 18];

  // A row with the bits of a write in place.
  function [17:0] merged(input integer width, input [17:0] old, input [13:0] address, input [17:0] data);
    integer bit_number;
    begin
      merged = old;
      if (width == 18) begin
        if (address[0]) merged[8:0] = data[8:0];
        if (address[1]) merged[17:9] = data[17:9];
      end else if (width == 9)
        merged[9 * address[3] +: 9] = data[8:0];
      else
        for (bit_number = 0; bit_number < width; bit_number = bit_number + 1)
          merged[9 * address[3] + (address[2:0] & ~(width[2:0] - 3'd1)) + bit_number] =
            data[bit_number];
    end
  endfunction

  // What a narrow port reads of a row.
  function [17:0] part(input integer width, input [17:0] row_read, input [13:0] address);
    begin
      part = row_read;
      if (width == 9) part = {9'b0, row_read[9 * address[3] +: 9]};
      else if (width < 9)
        part = (row_read >> (9 * address[3] + (address[2:0] & ~(width[2:0] - 3'd1))))
             & ((18'd1 << width) - 18'd1);
    end
  endfunction

  wire selected_a = CEA && CSA == 3'b0;
  wire selected_b = CEB && CSB == 3'b0;
  wire [17:0] new_a = merged(DATA_WIDTH_A, memory[ADA[13:4]], ADA, DIA);
  wire [17:0] new_b = merged(DATA_WIDTH_B, memory[ADB[13:4]], ADB, DIB);

  always @(posedge CLKA) begin
    if (selected_a && WEA) begin
      if (WIDE) begin
        memory[{ADA[13:5], 1'b0}] <= merged(18, memory[{ADA[13:5], 1'b0}], ADA, DIA);
        memory[{ADA[13:5], 1'b1}] <= merged(18, memory[{ADA[13:5], 1'b1}], ADA >> 2, DIB);
      end else
        memory[ADA[13:4]] <= new_a;
    end
    if (selected_a && (!WEA || WRITEMODE_A != "NORMAL"))
      a <= part(DATA_WIDTH_A, WEA && WRITEMODE_A == "WRITETHROUGH" ? new_a : memory[ADA[13:4]], ADA);
    if (RSTA) a <= 36'b0;
  end

  always @(posedge CLKB) begin
    if (selected_b && WEB) memory[ADB[13:4]] <= new_b;
    if (selected_b && (!WEB || WRITEMODE_B != "NORMAL"))
      b <= DATA_WIDTH_B == 36
         ? {memory[{ADB[13:5], 1'b1}], memory[{ADB[13:5], 1'b0}]}
         : {18'b0, part(DATA_WIDTH_B, WEB && WRITEMODE_B == "WRITETHROUGH" ? new_b : memory[ADB[13:4]], ADB)};
    if (RSTB) b <= 36'b0;
  end

  assign DOA = DATA_WIDTH_B == 36 ? b[17:0] : a[17:0];
  assign DOB = DATA_WIDTH_B == 36 ? b[35:18] : b[17:0];
endmodule
