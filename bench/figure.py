"""One measured figure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A figure and its goal.

    Parameters
    ----------
    name, value, unit
        The quantity measured.
    goal
        Least value wanted, or greatest where `at_most`; None where there is no goal.
    at_most
        Smaller is better.
    reference, reference_value
        Where the value is a ratio, or is best read beside another: that other, measured in the
        same run.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_most: bool = False
    reference: str | None = None
    reference_value: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def to_dict(self) -> dict[str, object]:
        """The figure as `build/bench.json` holds it."""
        entry: dict[str, object] = {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "goal": self.goal,
            "at_most": self.at_most,
            "met": self.met,
        }
        if self.reference is not None:
            entry |= {"reference": self.reference, "reference_value": self.reference_value}
        return entry
