"""The host link: from a serial line to the ports of a fabric and back.

In: uart -> frame_receiver (cobs_decoder, checksum, frame_reader) -> executor -> event_codes,
loader, reader, answers -> fabric. Out: fabric -> result_codes (packet_distance) -> replies ->
frame_sender (checksum) -> uart. `link` connects them; `ports` has the payloads between them.
"""
