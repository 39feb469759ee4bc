"""A simulated fabric that holds a memory image."""

from spikeloom.golden.memory_image import MemoryImage
from spikeloom.sim.runner import Simulation


def loaded(image: MemoryImage, verilog: str | None = None) -> Simulation:
    simulation = Simulation(image.config, verilog=verilog)
    simulation.load(image)
    return simulation
