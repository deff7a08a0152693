"""Every NumPy function of the coverage table, tried on Tensors against NumPy itself."""

import numpy as np
import pytest

from measuring import (
    check_changes,
    check_float32,
    check_forward,
    check_layouts,
    check_reverse,
    check_second,
    check_value,
    complexified,
)
from numpy_calls import CALLS

ROWS = [pytest.param(call, id=f"{call.name}-{i}") for i, call in enumerate(CALLS)]
COMPLEX = [p for p in ROWS if p.values[0].complex]


@pytest.mark.parametrize("call", ROWS)
def test_values_are_numpys(call):
    check_value(call)


@pytest.mark.parametrize("call", ROWS)
def test_reverse(call):
    check_reverse(call)


@pytest.mark.parametrize("call", ROWS)
def test_forward(call):
    check_forward(call)


@pytest.mark.parametrize("call", ROWS)
def test_second_derivatives(call):
    check_second(call)


@pytest.mark.parametrize("call", ROWS)
def test_float32(call):
    check_float32(call)


@pytest.mark.parametrize("call", ROWS)
def test_layouts_of_memory(call):
    check_layouts(call)


@pytest.mark.parametrize("call", ROWS)
def test_data_changed_after_the_forward_pass(call):
    check_changes(call)


@pytest.mark.parametrize("call", COMPLEX)
def test_complex(call):
    changed = complexified(call)
    assert changed is not None
    check_value(changed)
    with np.errstate(all="ignore"):
        check_reverse(changed)
        check_forward(changed)
        check_second(changed)
