"""The neuron core: events in, spikes out.

In: events. Out: events for tiles, packets for the host.
In between: address generation -> integrate -> fire (walk, neuron update) -> emit. `tile` joins
them, `ports` has the signatures between them.
"""
