"""Drivers of a fabric with AXI, written for one configuration."""
