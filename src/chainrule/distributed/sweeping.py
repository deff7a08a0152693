"""Many trainings at once."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainrule.distributed.workers import Workers
from chainrule.training.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True)
class Outcome:
    """What a training gave: its setting, and a result or what went wrong."""

    setting: Any
    result: Any = None
    error: str = ""


def sweep(
    train: Callable[[Any], Any],
    settings: Iterable[Any],
    client: Any = None,
    *,
    n_jobs: int = 1,
    progress: bool = False,
) -> list[Outcome]:
    """Train with many settings, on the workers of a client or by several processes here.

    Args:
        train: `train(setting)` returns what is to be known of a training, such as the least
            validation error. It takes its seed from the setting.
        settings: such as dicts of numbers; many of them may be random.
        client: a `dask.distributed.Client`, or None.
        n_jobs: without a client so many processes by joblib (extra `dask`); 1 for this one alone.
        progress: show a bar (extra `progress`).

    Returns:
        For each setting, in their order, an `Outcome`; where a training raised its `error` says
        what, and the others go on.

    Raises:
        ModuleNotFoundError: for n_jobs other than 1 without joblib, with the install command.

    >>> [outcome.result for outcome in sweep(lambda rate: rate * 2, [0.1, 0.2])]
    [0.2, 0.4]
    """
    settings = list(settings)
    outcomes: list[Outcome] = []
    with progress_bar(len(settings), "training", shown=progress) as advance:
        if client is None and n_jobs != 1:
            joblib = _joblib()
            jobs = (joblib.delayed(outcome_of)(train, setting) for setting in settings)
            found = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
        else:
            workers = Workers(client)
            work = workers.work(train)
            found = workers.in_order(outcome_on_worker, ((work, setting) for setting in settings))
        for outcome in found:
            outcomes.append(outcome)
            advance()
    return outcomes


def outcome_on_worker(work: Any, setting: Any) -> Outcome:
    return outcome_of(work.things()[0], setting)


def outcome_of(train: Callable[[Any], Any], setting: Any) -> Outcome:
    """What a training gave."""
    try:
        return Outcome(setting, train(setting))
    except Exception as error:  # noqa: BLE001 -- the others go on
        return Outcome(setting, error=f"{type(error).__name__}: {error}")


def _joblib() -> Any:
    try:
        return import_module("joblib")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "several processes need joblib: pip install 'chainrule[dask]', or n_jobs=1"
        ) from None
