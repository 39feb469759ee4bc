"""A fabric in a LiteX SoC: docs/integration.md."""
