"""The training loop, and what it tells."""

from chainrule.training.history import History
from chainrule.training.loop import fit
from chainrule.training.progress import progress_bar, progress_is_seen
from chainrule.training.watching import RISING_EPOCHS, DivergedError, TrainingWarning

__all__ = [
    "RISING_EPOCHS",
    "DivergedError",
    "History",
    "TrainingWarning",
    "fit",
    "progress_bar",
    "progress_is_seen",
]
