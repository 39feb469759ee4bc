"""The components of the link that have tests of their own, and what these drive."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

import axi_recordings
import test_link_amounts as amounts
import test_link_codes as codes
import test_link_executor as executor
import test_link_frames as frames
import test_link_replies as replies
import test_link_uart as uart
from designs import LINK, RING, Port
from recordings import Recording, Values

from spikeloom.hdl.link.event_codes import EventCodes
from spikeloom.hdl.link.executor import Executor
from spikeloom.hdl.link.frame_receiver import FrameReceiver
from spikeloom.hdl.link.frame_sender import FrameSender
from spikeloom.hdl.link.replies import Replies
from spikeloom.hdl.link.result_codes import ResultCodes
from spikeloom.hdl.link.uart import Receiver, Transmitter

Test = Callable[..., Any]
Rows = list[tuple[Values, Values]]


def tests_of(module: ModuleType) -> tuple[Test, ...]:
    """All tests of a module."""
    return tuple(test for name, test in vars(module).items() if name.startswith("test_"))


@dataclass(frozen=True)
class Part:
    """A component and its tests.

    Parameters
    ----------
    kind
        What is built, see `designs.KINDS`.
    component, sizes
        Its class, and the attributes of those of its objects that are built so.
    module, tests, arguments
        Tests, and the module in which they are. Parameters of theirs that are named like a size or
        are among `arguments` have that value, the others every one.
    """

    kind: str
    component: type
    module: ModuleType
    tests: Sequence[Test]
    sizes: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)

    def record(self, inputs: Sequence[Port], outputs: Sequence[Port]) -> list[Recording]:
        """What the tests drive at the ports of the component, and see there."""
        return [Recording.of(inputs, outputs, rows) for rows in self.played(inputs, outputs)]

    def played(self, inputs: Sequence[Port], outputs: Sequence[Port]) -> Iterator[Rows]:
        """The same, clock by clock."""
        for test in self.tests:
            for call in _calls(test, self.sizes | self.arguments):
                simulations = axi_recordings.simulations(self.module, call, inputs, outputs)
                for dut, rows in simulations:
                    if isinstance(dut, self.component) and all(
                        getattr(dut, name) == size for name, size in self.sizes.items()
                    ):
                        yield rows


def _calls(test: Test, fixed: dict[str, Any]) -> Iterator[Test]:
    """A test with each combination of its parameters that agrees with `fixed`."""
    choices = []
    for mark in getattr(test, "pytestmark", ()):
        names, values = mark.args
        if isinstance(names, str):
            names, values = (names,), [(value,) for value in values]
        choices.append([dict(zip(names, value, strict=True)) for value in values])
    for choice in itertools.product(*choices):
        arguments = {name: value for part in choice for name, value in part.items()}
        if all(arguments.get(name, value) == value for name, value in fixed.items()):
            yield partial(test, **arguments)


BIT = {"clocks_per_bit": LINK.clocks_per_bit}
FABRICS = {
    "plain": codes.PLAIN,
    "images": codes.IMAGES,
    "traces": codes.TRACES,
    "traced images": codes.TRACED_IMAGES,
}
PARTS = {
    "UART receiver": Part(
        "uart receiver",
        Receiver,
        uart,
        (
            uart.test_received_without_and_with_pauses,
            uart.test_a_byte_without_its_stop_bit_is_dropped,
            uart.test_a_break_is_no_byte,
            uart.test_a_short_pulse_is_no_start_bit,
        ),
        BIT,
    ),
    "UART transmitter": Part("uart transmitter", Transmitter, uart, (uart.test_sent,), BIT),
    "frame receiver": Part(
        "frame receiver",
        FrameReceiver,
        frames,
        (
            frames.test_refused,
            frames.test_a_refusal_is_said_again_in_a_new_session,
            frames.test_a_frame_never_fills_the_ring,
            frames.test_a_frame_that_came_before_is_ignored,
            frames.test_nothing_between_delimiters_is_no_frame,
            frames.test_what_has_no_room_is_refused_and_may_come_again,
            frames.test_a_frame_without_room_harms_nothing,
            frames.test_a_reset_discards_what_waits,
            frames.test_the_buffer_takes_what_the_host_may_send,
            frames.test_corrupt_frames_are_never_accepted,
            frames.test_any_bytes_then_a_reset,
            frames.test_numbers_wrap,
            frames.test_frames_are_received,
        ),
        {"buffer": RING},
    ),
    "frame sender": Part(
        "frame sender",
        FrameSender,
        frames,
        (
            frames.test_frames_are_sent,
            frames.test_what_is_discarded_is_not_sent,
            frames.test_a_frame_is_discarded_up_to_the_clock_in_which_it_is_taken_over,
            frames.test_a_frame_that_waits_for_the_line_is_discarded,
        ),
    ),
    **{
        f"event codes, {name}": Part(
            "event codes",
            EventCodes,
            codes,
            (
                codes.test_events,
                codes.test_the_example_of_the_specification,
                codes.test_fields_wider_than_the_fabrics_are_cut,
                codes.test_a_dense_mask_takes_fewer_clocks_than_its_byte,
            ),
            {"config": config},
        )
        for name, config in list(FABRICS.items())[:2]
    },
    **{
        f"result codes, {name}": Part(
            "result codes",
            ResultCodes,
            codes,
            (
                codes.test_results,
                codes.test_results_are_short,
                codes.test_a_current_and_its_state_share_a_position,
            ),
            {"config": config},
        )
        for name, config in FABRICS.items()
    },
    "event codes, amounts": Part(
        "event codes",
        EventCodes,
        codes,
        (amounts.test_events_count_as_much_as_the_host_says,),
        {"config": amounts.built("both")},
        {"name": "both", "extent": 1},
    ),
    "result codes, amounts": Part(
        "result codes",
        ResultCodes,
        codes,
        (amounts.test_spikes_count_as_much_as_their_packets,),
        {"config": amounts.built("both")},
        {"name": "both"},
    ),
    "replies": Part(
        "replies",
        Replies,
        replies,
        (
            replies.test_each_cause_gives_its_frame_once,
            replies.test_the_header,
            replies.test_of_several_causes_the_urgent_come_first,
            replies.test_a_status_waits_until_the_line_is_free,
            replies.test_where_results_end,
            replies.test_a_refusal_while_one_is_being_sent_is_not_lost,
        ),
    ),
    **{
        f"executor, {name}": Part(
            "executor",
            Executor,
            executor,
            (
                executor.test_loads,
                executor.test_events,
                executor.test_reads,
                executor.test_counters_are_those_of_one_clock,
                executor.test_commands_follow_each_other,
                executor.test_faults_stop_it,
            ),
            {"config": config},
            {"name": name},
        )
        for name, config in executor.CONFIGS.items()
    },
    "executor, baked": Part(
        "executor, baked",
        Executor,
        executor,
        (executor.test_contents_are_baked_until_something_is_loaded_over_them,),
        {"config": executor.CONFIGS["not readable"]},
    ),
}
