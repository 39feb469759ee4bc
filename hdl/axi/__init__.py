"""A fabric behind AXI4-Stream and AXI4-Lite; see docs/integration.md.

`axi_fabric` is the top. `register_port` turns AXI4-Lite transfers into accesses, and `registers`
carries them out. `buses` has the signatures of both buses.
"""
