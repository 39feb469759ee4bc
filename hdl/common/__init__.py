"""Shared building blocks: shapes, arithmetic, delays, queues, arbiters, load and read ports."""
