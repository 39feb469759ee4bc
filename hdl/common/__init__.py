"""Blocks that every room uses: shapes, arithmetic, queues, arbiters, load and read ports."""
