"""The training loop."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import asdict, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.data import are_arrays, length_of, source_of
from chainrule.optim import Optimizer
from chainrule.recording import evaluation
from chainrule.saving import CheckpointError, fill, read, rest_of, save
from chainrule.summaries import by_layer
from chainrule.training.history import History
from chainrule.training.interrupting import interruptible
from chainrule.training.progress import training_bar
from chainrule.training.snapshots import Everything, Kept
from chainrule.training.stepping import MANY_STEPS, Step, number
from chainrule.training.watching import DeadUnits, check_error, check_growth, diverged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: Of so many epochs the gradients are noted.
MOST_NOTES = 400


def fit(
    loss: Callable[..., Any],
    optimizer: Optimizer,
    epochs: int = 1000,
    *,
    threshold: float | None = None,
    seconds: float | None = None,
    data: Any = (),
    batch_size: int | None = None,
    seed: int = 0,
    validation: Any = None,
    patience: int | None = None,
    callbacks: Sequence[Callable[[History], Any]] = (),
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 30.0,
    compiled: bool | None = None,
    client: Any = None,
    progress: bool | None = None,
) -> History:
    """Train: forward, backward, then change all weights, until an end is reached.

    Ctrl-C ends it after the step that is computed, and the history comes back as ever.

    Args:
        loss: builds the forward pass and returns the error as a Value or one-element Tensor. It
            is called with the arrays of `data`, or of a batch; without data, with nothing.
        optimizer: holds the parameters and the learning rate.
        epochs: stop after this many passes at the latest.
        threshold: stop as soon as the error is below it.
        seconds: stop after this time.
        data: a list of arrays with the samples along their first axis; or what gives batches: an
            iterable of tuples of arrays, `cr.data.FileBatches`, or a function of the epoch; or
            `cr.distributed.Chunks`, whose parts workers load.
        batch_size: samples in a batch of the arrays, shuffled anew in each epoch; by default all
            at once.
        seed: of the shuffling.
        validation: arrays, as `data`, whose error is computed after each epoch as in use (see
            `cr.nn.evaluation`); or a function that returns a number. In the end the weights are
            those of the epoch where it was least.
        patience: stop when so many epochs gave no better validation error.
        callbacks: functions of the history, called after each epoch; one that returns something
            true stops the training.
        checkpoint: a file to which everything is saved now and then; if it is there, the training
            goes on from it, and ends with the same bits as one that was never stopped.
        checkpoint_seconds: how often it is saved.
        compiled: whether steps are compiled with `cr.compile`; None compiles where it can and pays.
            With callbacks, which may change what the loss reads, only if it is true.
        client: a `dask.distributed.Client`, for `cr.distributed.Chunks`: the same parts give the
            same bits for any number of workers, and without a client.
        progress: show a bar (extra `progress`); by default on a terminal, once a run takes longer
            than half a second.

    Returns:
        the `History`; printed, it says which end was reached.

    Raises:
        DivergedError: if the error is not finite or grows without bound.
        CheckpointError: if the file is damaged, or of another training.
        ModuleNotFoundError: with `progress=True` where tqdm is not installed.
        ValueError: for numbers out of range, or data of different lengths.
    """
    if not callable(loss):
        raise TypeError(f"loss is a function that computes the error, got {type(loss).__name__}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"an optimizer such as cr.optim.GradientDescent expected, got {optimizer!r}"
        )
    if epochs < 1 or (patience is not None and patience < 1):
        raise ValueError(f"epochs and patience must be at least 1, got {epochs}, {patience}")
    if patience is not None and validation is None:
        raise ValueError("patience needs validation: arrays, or a function that returns a number")
    source = source_of(data, batch_size, seed)
    many = epochs * length_of(source, MANY_STEPS) >= MANY_STEPS
    if compiled is None and (callbacks or not many):
        compiled = False
    training = Training(loss, optimizer, source, epochs, compiled=compiled, client=client)
    training.history.threshold = threshold
    training.validate = _validator(training.step, validation, getattr(source, "batch_size", None))
    if checkpoint is not None:
        training.keep_in(Path(checkpoint), checkpoint_seconds)
    limits = Limits(epochs, threshold, seconds, patience, callbacks)
    with interruptible() as interrupted, training_bar(epochs, progress) as show:
        training.run(limits, interrupted, show)
    return training.history


class Limits:
    """When a training ends."""

    def __init__(
        self,
        epochs: int,
        threshold: float | None,
        seconds: float | None,
        patience: int | None,
        callbacks: Sequence[Callable[[History], Any]],
    ) -> None:
        self.epochs, self.threshold, self.seconds = epochs, threshold, seconds
        self.patience, self.callbacks = patience, callbacks

    def reached(self, history: History) -> str:
        """Which end an epoch has reached, if any."""
        if self.threshold is not None and history.errors[-1] < self.threshold:
            return "threshold"
        waited = history.epochs - (history.best_epoch or 0)
        if self.patience is not None and waited >= self.patience:
            return "patience"
        return "epochs" if history.epochs >= self.epochs else ""

    def called_back(self, history: History) -> str:
        """Call the callbacks, all of them; whether one wants to stop."""
        wanted = [bool(callback(history)) for callback in self.callbacks]
        return "callback" if any(wanted) else ""

    def out_of_time(self, history: History) -> bool:
        """Whether the time is over, also in the middle of an epoch."""
        return self.seconds is not None and history.seconds >= self.seconds


class Training:
    """A training on its way. What it needs to go on is in `position` and `everything`."""

    def __init__(
        self,
        loss: Callable[..., Any],
        optimizer: Optimizer,
        source: Any,
        epochs: int,
        *,
        compiled: bool | None,
        client: Any,
    ) -> None:
        self.optimizer, self.source = optimizer, source
        self.history = History()
        self.step: Any
        self.validate: Callable[[], float] | None = None
        #: All samples at once: the error after an epoch is that of the next one's forward pass.
        self.whole = getattr(source, "batch_size", 1) is None
        self.everything, self.best = Everything(loss, optimizer), Kept()
        if hasattr(source, "per_step"):
            self.everything.require_nothing_else()
            steps = import_module("chainrule.distributed.steps")
            self.step = steps.PartsStep(loss, optimizer, source, client)
        elif client is None:
            self.step = Step(loss, optimizer, updates=not self.whole, compiled=compiled)
        else:
            raise TypeError(
                "with a client the data is loaded by its workers: data=cr.distributed.Chunks(load,"
                " n_chunks), or load=cr.distributed.Slices('x.npy', 'y.npy', n_chunks=8)"
            )
        #: What the last forward pass of a whole epoch changed, as it was before.
        self.before = Kept()
        #: The batches of the epoch that are done, the sum of their errors, and of their samples.
        self.batch, self.total, self.samples = 0, 0.0, 0
        self.dead = DeadUnits(optimizer)
        self.layers = by_layer(optimizer.parameters)
        self.every = -(-epochs // MOST_NOTES)
        self.path: Path | None = None
        self.pause = self.saved_at = self.looked_at = 0.0

    def run(
        self,
        limits: Limits,
        interrupted: Callable[[], bool],
        show: Callable[[History], None],
    ) -> None:
        """Train until an end is reached."""
        history = self.history
        self.looked_at = self.saved_at = time.perf_counter()
        if history.errors and not self.batch:
            history.stopped_by = limits.reached(history)
        if self.before.held and not history.stopped_by:  # the last forward pass is done again
            self.everything.load_state({**self.everything.state(), **self.before.held})
        stop = functools.partial(self._stopped, limits, interrupted)
        epochs = self._whole_epochs(stop) if self.whole else self._batched_epochs(stop)
        while not history.stopped_by:
            error = self._next(epochs)
            history.errors.append(error)
            history.rates.append(float(self.optimizer.learning_rate))
            check_growth(self.optimizer, history)
            self._note_best()
            self.dead.end(history.epochs)
            show(history)
            asked, ended = limits.called_back(history), stop()
            history.stopped_by = history.stopped_by or limits.reached(history) or asked or ended
            self.save_now_and_then()
        try:
            self.save_now_and_then(at_once=True)
        finally:
            if self.best.held and history.best_epoch != history.epochs:
                self.everything.load_state(self.best.held)

    def _next(self, epochs: Iterator[float]) -> float:
        try:
            error = next(epochs)
        except ArithmeticError as problem:
            if not self.history.errors or hasattr(problem, "history"):  # no matter of training
                raise
            what = f"the forward pass failed ({problem})"
            raise diverged(what, self.optimizer, self.history) from problem
        check_error(error, self.optimizer, self.history)
        return error

    def _whole_epochs(self, stop: Callable[[], str]) -> Iterator[float]:
        """The error before training, then after each epoch; one forward serves both ends of it."""
        del stop  # it is asked after each epoch
        resumed = bool(self.history.errors)
        while True:
            (batch,) = self.source.epoch(None)
            self.before.held = self.everything.besides()
            error, size = self.step(batch)
            if not resumed:
                yield error
            resumed = False
            self._look(self.history.epochs, size)
            self.optimizer.step()

    def _batched_epochs(self, stop: Callable[[], str]) -> Iterator[float]:
        """The mean error over the batches, before training and in each epoch."""
        if not self.history.errors:
            yield mean_error(self.step, self.source)
        while True:
            epoch = len(self.history.errors) - 1
            for batch in self.source.epoch(epoch, self.batch):
                error, size = self.step(batch)
                check_error(error, self.optimizer, self.history)
                self._look(epoch, size)
                self.total += error * size
                self.samples += size
                self.batch += 1
                self.history.stopped_by = stop()
                if self.history.stopped_by:  # who goes on from the file does the whole epoch
                    self.save_now_and_then(at_once=True)
                    self.path = None
                    break
                self.save_now_and_then()
            if not self.samples:
                raise ValueError("the data has no batches")
            mean = self.total / self.samples
            self.batch, self.total, self.samples = 0, 0.0, 0
            yield mean

    def _look(self, epoch: int, size: int) -> None:
        """Note the gradients of the first batch, and look for dead units."""
        if not self.batch:
            self.dead.begin(epoch + 1, self.batch)
            if epoch % self.every == 0:
                self.history.note_gradients(self.layers, epoch)
        self.dead.look(size)

    def _note_best(self) -> None:
        """Keep the weights if the validation error is the least so far."""
        if self.validate is None:
            return
        history = self.history
        history.validation.append(self.validate())
        best = history.best_epoch
        least = math.inf if best is None else history.validation[best]
        if history.validation[-1] < least:
            history.best_epoch = history.epochs
            self.best.held = self.everything.state()

    def _stopped(self, limits: Limits, interrupted: Callable[[], bool]) -> str:
        now = time.perf_counter()
        self.history.seconds += now - self.looked_at
        self.looked_at = now
        if interrupted():
            return "interrupt"
        return "seconds" if limits.out_of_time(self.history) else ""

    # ----------------------------------------------------------------------- the checkpoint

    def keep_in(self, path: Path, pause: float) -> None:
        """Save to a file now and then; go on from it if it is there."""
        self.path, self.pause = path, pause
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent} for the checkpoint")
        if not path.exists():
            return
        found = read(path)
        rest = rest_of(found)
        if not {"history", "position", "batches"} <= rest.keys():
            raise CheckpointError(f"{path} is no checkpoint of cr.fit")
        known = {f.name for f in fields(History)}
        history = History(**{k: x for k, x in rest["history"].items() if k in known})
        if rest["batches"] != self._kind():
            raise CheckpointError(
                f"{path} is of a training with {rest['batches']}, not with {self._kind()}"
            )
        if (self.validate is None) == bool(history.validation):
            had = "with" if history.validation else "without"
            raise CheckpointError(f"{path} is of a training {had} validation")
        fill(path, found, self._parts())
        history.threshold, history.stopped_by = self.history.threshold, ""
        self.history = history
        self.batch, self.total, self.samples = rest["position"]

    def _parts(self) -> dict[str, Any]:
        return {
            "everything": self.everything,
            "optimizer": self.optimizer,
            "best": self.best,
            "before": self.before,
        }

    def _kind(self) -> str:
        """What the order of batches depends on."""
        facts = ("samples", "n_chunks", "batch_size", "per_step", "seed")
        known = {name: getattr(self.source, name, None) for name in facts}
        return ", ".join(f"{name}={x}" for name, x in known.items() if x is not None) or "a stream"

    def save_now_and_then(self, *, at_once: bool = False) -> None:
        """Save everything if the time has come."""
        now = time.perf_counter()
        if self.path is None or (now - self.saved_at < self.pause and not at_once):
            return
        save(
            self.path,
            **self._parts(),
            history=asdict(self.history),
            position=[self.batch, self.total, self.samples],
            batches=self._kind(),
        )
        self.saved_at = time.perf_counter()


def mean_error(step: Any, source: Any) -> float:
    """The mean error over all batches in order, in use."""
    total, samples = 0.0, 0
    for batch in source.epoch(None):
        error, size = step.evaluated(batch)
        total += error * size
        samples += size
    if not samples:
        raise ValueError("the data has no batches")
    return total / samples


def _validator(step: Any, validation: Any, size: int | None) -> Callable[[], float] | None:
    """What gives the validation error."""
    if validation is None:
        return None
    if callable(validation):

        def by_function() -> float:
            with evaluation():
                return number(validation())

        return by_function
    if isinstance(validation, list | tuple) and not validation:
        raise ValueError("validation is empty: arrays, or a function that returns a number")
    arrays = isinstance(validation, list | tuple) and are_arrays(validation)
    source = source_of(validation, size if arrays else None, 0)
    if hasattr(step, "workers") and not hasattr(source, "per_step"):
        step = Step(step.loss, step.optimizer, updates=False, compiled=False)
    return lambda: mean_error(step, source)
