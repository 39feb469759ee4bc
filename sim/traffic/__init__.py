"""Random traffic through the RTL of a mesh of routers alone.

Stimuli go in: what each source offers and when, and in which clocks each sink is ready. The
compiled RTL plays them; the cycle-level golden model plays the same, and every signal of every link
is compared in every clock. Independently, a scoreboard checks the deliveries against the offers.
"""
