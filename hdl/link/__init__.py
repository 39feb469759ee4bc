"""The host link: bytes of a serial line in and out, a fabric behind them.

In: uart -> frame receiver -> executor -> loader, reader, event codes -> fabric.
Out: fabric -> result codes -> replies -> frame sender -> uart. `link` joins them.
"""
