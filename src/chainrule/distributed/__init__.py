"""Gradients and trainings on many workers, by way of Dask (extra `dask`)."""

from chainrule.distributed.chunks import Chunks, Slices
from chainrule.distributed.gradients import value_and_grad
from chainrule.distributed.sweeping import Outcome, sweep

__all__ = ["Chunks", "Outcome", "Slices", "sweep", "value_and_grad"]
