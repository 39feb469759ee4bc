"""Benches of a fabric in your own design: docs/integration.md."""
