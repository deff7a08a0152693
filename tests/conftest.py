import gc
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
collect_ignore_glob = ["benchmarks/*"]


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def no_garbage():
    """Nothing that the test makes may need the cycle collector."""
    gc.collect()
    gc.disable()
    yield
    found = gc.collect()
    gc.enable()
    assert found == 0, f"{found} objects were kept by reference cycles"
