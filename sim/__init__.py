"""The hardware made to run: Verilog, compiled models, and benches beside the golden model."""
