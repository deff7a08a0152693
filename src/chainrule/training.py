"""The training loop."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import itertools
import math
import sys
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.history import History
from chainrule.ops.base import shape_of
from chainrule.optim import Optimizer
from chainrule.recording import no_grad
from chainrule.summaries import by_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


#: Of so many epochs the gradients are noted.
MOST_NOTES = 400
#: The error has grown without bound when it rose this many epochs in a row …
RISING_EPOCHS = 10
#: … and is this many times the first one.
RISING_FACTOR = 1000.0


class DivergedError(ArithmeticError):
    """The error is no longer finite, or grows without bound. `.history` holds what happened."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def fit(
    loss: Callable[..., Any],
    optimizer: Optimizer,
    epochs: int = 1000,
    *,
    threshold: float | None = None,
    data: Sequence[Any] = (),
    batch_size: int | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> History:
    """Train: forward, backward, then change all weights, until an end is reached.

    Args:
        loss: builds the forward pass and returns the error as a Value or one-element Tensor. It
            is called with the arrays of `data`, or a batch of each; without data, with nothing.
        optimizer: holds the parameters and the learning rate.
        epochs: stop after this many passes at the latest.
        threshold: stop as soon as the error is below it.
        data: arrays with the samples along their first axis.
        batch_size: samples in a batch, shuffled anew in each epoch; by default all at once.
        seed: of the shuffling.
        progress: show a bar (extra `progress`); by default on a terminal, once a run takes longer
            than half a second.

    Returns:
        the `History`; printed, it says which end was reached.

    Raises:
        DivergedError: if the error is not finite or grows without bound.
        ModuleNotFoundError: with `progress=True` where tqdm is not installed.
        ValueError: for epochs or a batch size below 1, or data of different lengths.
    """
    _check_arguments(loss, optimizer, epochs, data, batch_size)
    history = History(threshold=threshold)
    watch = _watcher(history, optimizer, epochs)
    if batch_size is None:
        errors = _full_epochs(lambda: loss(*data), optimizer, watch)
    else:
        random = np.random.default_rng(seed)
        errors = _batched_epochs(loss, optimizer, data, batch_size, random, watch)
    with _bar(epochs, progress) as show:
        while not history.stopped_by:
            history.errors.append(_next_error(errors, optimizer, history))
            _check_growth(optimizer, history)
            show(history)
            if threshold is not None and history.errors[-1] < threshold:
                history.stopped_by = "threshold"
            elif history.epochs == epochs:
                history.stopped_by = "epochs"
    return history


def _check_arguments(
    loss: Any, optimizer: Any, epochs: int, data: Sequence[Any], batch_size: int | None
) -> None:
    if isinstance(data, np.ndarray):
        raise TypeError("data is a list of arrays, even of one: [X]")
    if epochs < 1 or (batch_size is not None and batch_size < 1):
        raise ValueError(f"epochs and batch_size must be at least 1, got {epochs}, {batch_size}")
    if len({len(array) for array in data}) > 1:
        raise ValueError(f"data of different lengths: {[len(array) for array in data]}")
    if batch_size is not None and not data:
        raise ValueError("batch_size needs data to take batches from")
    if not callable(loss):
        raise TypeError(f"loss is a function that computes the error, got {type(loss).__name__}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"an optimizer such as cr.optim.GradientDescent expected, got {optimizer!r}"
        )


def _watcher(history: History, optimizer: Optimizer, epochs: int) -> Callable[[int, int], None]:
    """Notes the gradients at the first update of some epochs."""
    layers = by_layer(optimizer.parameters)
    every = -(-epochs // MOST_NOTES)

    def watch(epoch: int, batch: int) -> None:
        if batch == 0 and epoch % every == 0:
            history.note_gradients(layers, epoch)

    return watch


def _full_epochs(
    loss: Callable[[], Any], optimizer: Optimizer, watch: Callable[[int, int], None]
) -> Iterator[float]:
    """The error before training, then after each epoch; one forward serves both ends of it."""
    for epoch in itertools.count():
        error = loss()
        yield _number(error)
        _update(error, optimizer, functools.partial(watch, epoch, 0))


def _batched_epochs(
    loss: Callable[..., Any],
    optimizer: Optimizer,
    data: Sequence[Any],
    batch_size: int,
    random: np.random.Generator,
    watch: Callable[[int, int], None],
) -> Iterator[float]:
    """The mean error over the batches, before training and in each epoch."""
    samples = len(data[0])
    with no_grad():
        yield _number(loss(*data))
    for epoch in itertools.count():
        total = 0.0
        order = random.permutation(samples)
        for start in range(0, samples, batch_size):
            chosen = order[start : start + batch_size]
            error = loss(*[np.asarray(array)[chosen] for array in data])
            total += _number(error) * len(chosen)
            _update(error, optimizer, functools.partial(watch, epoch, start))
        yield total / samples


def _number(error: Any) -> float:
    if not isinstance(error, Node):
        raise TypeError(
            f"the loss must return a Value or a Tensor, it returned {type(error).__name__}"
        )
    if getattr(error, "size", 1) != 1:
        raise ValueError(f"the loss must return one number, its result has shape {shape_of(error)}")
    return error.item()


def _update(error: Any, optimizer: Optimizer, watch: Callable[[], None]) -> None:
    optimizer.zero_grad()
    error.backward()
    watch()
    optimizer.step()


def _next_error(errors: Iterator[float], optimizer: Optimizer, history: History) -> float:
    try:
        error = next(errors)
    except ArithmeticError as problem:
        if not history.errors:  # not a matter of training
            raise
        raise _diverged(f"the forward pass failed ({problem})", optimizer, history) from problem
    if not math.isfinite(error):
        raise _diverged(f"the error became {error}", optimizer, history)
    return error


def _check_growth(optimizer: Optimizer, history: History) -> None:
    recent = history.errors[-RISING_EPOCHS - 1 :]
    rising = all(a < b for a, b in pairwise(recent))
    if len(recent) > RISING_EPOCHS and rising and recent[-1] > RISING_FACTOR * history.errors[0]:
        raise _diverged(f"the error grew to {recent[-1]:.3g}", optimizer, history)


def _diverged(what: str, optimizer: Optimizer, history: History) -> DivergedError:
    start = f" from {history.errors[0]:.3g}" if history.errors else ""
    rate = optimizer.learning_rate
    return DivergedError(
        f"training diverged: {what}{start} after {len(history.errors)} epochs. The learning rate"
        f" {rate:g} is probably too large: try {rate / 10:g}, from fresh weights",
        history,
    )


def progress_is_seen() -> bool:
    """Whether a bar can be drawn and somebody would see it."""
    return sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None


@contextmanager
def _bar(epochs: int, progress: bool | None) -> Iterator[Callable[[History], None]]:
    """A tqdm bar, or nothing where it would not be seen."""
    delay = 0.0 if progress else 0.5
    if progress is None:
        progress = progress_is_seen()
    if not progress:
        yield lambda history: None  # noqa: ARG005
        return
    tqdm = _tqdm()
    with tqdm(total=epochs, unit="epoch", delay=delay) as bar:

        def show(history: History) -> None:
            bar.n = history.epochs
            bar.set_postfix_str(f"error {history.errors[-1]:.4g}", refresh=False)
            bar.update(0)

        yield show


@contextmanager
def progress_bar(total: int, unit: str, *, shown: bool) -> Iterator[Callable[[], None]]:
    """A bar that each call of what it yields moves on by one; nothing if it is not shown."""
    if not shown:
        yield lambda: None
        return
    with _tqdm()(total=total, unit=unit) as bar:
        yield lambda: bar.update(1)


def _tqdm() -> Any:
    try:
        return importlib.import_module("tqdm").tqdm
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the progress bar needs tqdm: pip install 'chainrule[progress]', or progress=False"
        ) from None
