"""Worked examples: small trained networks, their input codes and their training scripts."""
