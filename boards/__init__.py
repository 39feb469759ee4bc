"""Everything that knows a pin: boards, clocking, bitstreams."""
