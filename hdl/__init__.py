"""The hardware, in Amaranth. See docs/hardware.md for what happens in every clock."""
