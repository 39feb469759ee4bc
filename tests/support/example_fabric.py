"""A fabric that examples share in tests, so that it is built once."""

from spikeloom.golden.spec import FabricConfig

TRACED = FabricConfig(
    lanes=8,
    neurons=4096,
    weight_words=8192,
    axons=1024,
    populations=4,
    connections=8,
    targets=16,
    queue=32,
    extent=32,
    coordinates=256,
    synaptic_current=True,
    neuron_parameters=True,
    traces=True,
)
