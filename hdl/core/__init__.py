"""The neuron core: events in, spikes out.

In: events. Out: events for other tiles, packets for the host.
On the way: address generation -> integrate -> fire (neuron update) -> emit; `tile` joins them.
"""
