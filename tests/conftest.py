import gc
from pathlib import Path

import numpy as np
import pytest

from graphs import GRAPHS

ROOT = Path(__file__).parent.parent
collect_ignore_glob = ["benchmarks/*", "torch_references.py"]


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def no_garbage():
    """Nothing that the test makes may need the cycle collector."""
    gc.collect()
    gc.disable()
    yield
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    # The test runner's own threads may leave something; what the library or a test made counts.
    ours = [x for x in gc.garbage if is_ours(x)]
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()
    assert not ours, f"kept by reference cycles: {ours[:5]}"


def is_ours(x):
    module = getattr(x, "__module__", None) or type(x).__module__
    return str(module).startswith(("chainrule", "test_", "tests.")) or isinstance(x, np.ndarray)


@pytest.fixture
def graphs():
    """Ten graphs that every engine draws."""
    return GRAPHS
