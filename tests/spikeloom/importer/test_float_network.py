"""What a network in floating point refuses."""

import numpy as np
import pytest

from spikeloom.golden.errors import SpikeloomError
from spikeloom.importer.float_network import FloatInput, FloatNetwork, FloatPopulation


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 1), ()])
def test_a_parameter_of_another_shape(shape: tuple[int, ...]) -> None:
    population = FloatPopulation("p", 2, np.zeros(2), threshold=np.ones(shape))
    with pytest.raises(SpikeloomError) as error:
        FloatNetwork((FloatInput("in", 1),), (population,), ())
    assert str(error.value) == (
        f"population 'p': threshold must be a number or have shape (2,), not {shape}"
    )
