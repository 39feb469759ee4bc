"""From a board to its bitstream.

In go a board, fabric sizes and, if baked, a memory image. Through design, synthesis and placement
they become the bitstream of the fastest placement, its Verilog and a report; a netlist also becomes
Verilog for simulation. Each step is cached under everything it depends on: a repeated build takes
no time, and the placements of several seeds share one synthesis.
"""
