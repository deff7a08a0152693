"""Checkpoints: models, optimisers, random generators, arrays and numbers in one `.npz` file."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The entry that says what the file is, and how it is written.
HEAD, FORMAT = "chainrule", 1
#: The kinds of parts that are filled, not returned.
STATES = frozenset({"state", "random"})
#: All arrays of a file, and the kinds of its parts.
Contents = tuple[dict[str, Any], dict[str, str]]


class CheckpointError(ValueError):
    """A file is no checkpoint, is damaged, or does not fit."""


def save(path: str | Path, **parts: Any) -> None:
    """Write parts to a file, under their names.

    It is written to a file beside, synced to the disk, and renamed: whenever the program stops,
    there is the old file or the new one, never half of one.

    Args:
        path: the file; `.npz` is the usual ending. NumPy reads it, too.
        parts: modules, optimisers (whatever has `state()` and `load_state`), random generators,
            arrays, and what JSON knows: numbers, texts, lists and dicts of them.

    Raises:
        TypeError: for anything else; nothing is written.
        OSError: where the file cannot be written; an old one stays.

    >>> import tempfile
    >>> import chainrule as cr
    >>> net = cr.nn.Linear(2, 1, seed=0)
    >>> optimizer = cr.optim.Adam(net.parameters())
    >>> path = Path(tempfile.mkdtemp()) / "run.npz"
    >>> cr.save(path, net=net, optimizer=optimizer, epoch=3)
    >>> cr.load(path, net=net, optimizer=optimizer)
    {'epoch': 3}
    """
    arrays: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    for name, part in parts.items():
        kinds[name], found = _written(name, part)
        arrays |= {f"{name}/{key}" if key else name: array for key, array in found.items()}
    arrays[HEAD] = _text(json.dumps({"format": FORMAT, "parts": kinds}))
    put_in_place(Path(path), lambda file: np.savez(file, allow_pickle=False, **arrays))


def load(path: str | Path, **parts: Any) -> dict[str, Any]:
    """Read a file that `save` wrote: into the parts given, and the rest as a dict.

    Args:
        path: the file.
        parts: the modules, optimisers and random generators to be filled, by their names.

    Returns:
        Arrays, numbers and whatever else is in the file.

    Raises:
        FileNotFoundError: if there is no such file.
        CheckpointError: if it is no checkpoint, is damaged, or does not fit; then nothing is
            changed.
    """
    path = Path(path)
    found = read(path)
    fill(path, found, parts)
    return rest_of(found)


def fill(path: Path, found: Contents, parts: Mapping[str, Any]) -> None:
    """Give the parts the states that were read; all of them, or none."""
    arrays, kinds = found
    stateful = {name for name, kind in kinds.items() if kind in STATES}
    if unfit := sorted(stateful ^ parts.keys()):
        where = "is in the file and" if unfit[0] in stateful else "is given and"
        other = "not given" if unfit[0] in stateful else "not a state in the file"
        raise CheckpointError(f"{path}: {unfit[0]} {where} {other}")
    before = {name: _written(name, part) for name, part in parts.items()}
    states = {name: _state(arrays, name) for name in stateful}
    done: list[str] = []
    try:
        for name, part in parts.items():
            done.append(name)
            _fill(part, states[name])
    except (ValueError, TypeError, KeyError) as error:
        for name in done:
            with suppress(ValueError, TypeError, KeyError):
                _fill(parts[name], before[name][1])
        raise CheckpointError(f"{path}: {done[-1]} does not fit: {error}") from error


def rest_of(found: Contents) -> dict[str, Any]:
    """What was read beside the states."""
    arrays, kinds = found
    plain = [name for name, kind in kinds.items() if kind not in STATES]
    return {name: _plain(arrays[name], kinds[name]) for name in plain}


def state_of(held: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Copies of the data of leaves and of the states of random generators, by name."""
    return {name: _copied(x) for name, x in held.items()}


def take_over(held: Mapping[str, Any], state: Mapping[str, Any], owner: str) -> None:
    """Give leaves and random generators what a state has; all of them, or none.

    Raises:
        ValueError: if a name is missing or unknown, or a shape, dtype or kind does not fit.
    """
    if unfit := sorted(held.keys() ^ state.keys()):
        where = owner if unfit[0] in held else "the state"
        raise ValueError(f"the state does not fit: {unfit[0]} is in {where} alone")
    fitting = {name: _fitting(name, x, state[name]) for name, x in held.items()}
    for name, x in held.items():
        if isinstance(x, np.random.Generator):
            x.bit_generator.state = fitting[name]
        else:
            x.data = fitting[name]


def _copied(x: Any) -> np.ndarray:
    if isinstance(x, np.random.Generator):
        return _text(json.dumps(x.bit_generator.state, default=lambda array: array.tolist()))
    return np.array(x.data)


def _fitting(name: str, x: Any, given: Any) -> Any:
    """What a leaf or a random generator takes over."""
    if isinstance(x, np.random.Generator):
        state = json.loads(bytes(np.asarray(given, np.uint8)))
        kind = x.bit_generator.state["bit_generator"]
        if state["bit_generator"] != kind:
            raise ValueError(f"{name} is of another kind: {state['bit_generator']}, not {kind}")
        return state
    array, own = np.asarray(given), np.asarray(x.data)
    if array.shape != own.shape or array.dtype != own.dtype:
        raise ValueError(
            f"{name} is {own.dtype} of shape {own.shape}, the state has {array.dtype} of shape"
            f" {array.shape}"
        )
    return array.item() if type(x.data) is float else array.copy()


def _text(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _written(name: str, part: Any) -> tuple[str, dict[str, Any]]:
    """The kind of a part, and its arrays by name."""
    if name in {HEAD, "file", "allow_pickle"} or "/" in name:
        raise ValueError(f"{name!r} cannot be the name of a part")
    if hasattr(part, "load_state"):
        return "state", dict(part.state())
    if isinstance(part, np.random.Generator):
        return "random", state_of({"": part})
    if isinstance(part, np.ndarray | np.generic):
        if part.dtype.hasobject:
            raise TypeError(f"{name} is an array of objects: only numbers and texts are saved")
        return "array", {"": part}
    try:
        text = json.dumps(part)
    except TypeError:
        raise TypeError(
            f"{name} is a {type(part).__name__}, or holds what cannot be saved: modules,"
            f" optimisers, random generators, arrays, and Python's numbers, texts, lists and dicts"
            f" are saved; of a Tensor its .data"
        ) from None
    return "json", {"": _text(text)}


def _state(arrays: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The arrays of one part."""
    inside = {k.removeprefix(f"{name}/"): x for k, x in arrays.items() if k.startswith(f"{name}/")}
    return inside if name not in arrays else {"": arrays[name]}


def _fill(part: Any, state: dict[str, Any]) -> None:
    if isinstance(part, np.random.Generator):
        take_over({"": part}, state, "the generator")
    else:
        part.load_state(state)


def _plain(array: Any, kind: str) -> Any:
    return array if kind == "array" else json.loads(bytes(array))


def put_in_place(path: Path, write: Callable[[Any], Any]) -> None:
    """Write a file beside, sync it to the disk, and put it in the place of the old one."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} for {path.name}")
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # some systems do not sync folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: Path) -> Contents:
    """All arrays of a file, and the kinds of its parts."""
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        head = json.loads(bytes(arrays.pop(HEAD)))
        kinds: dict[str, str] = dict(head["parts"])
    except Exception as error:  # of many kinds, where a byte has changed
        raise CheckpointError(
            f"{path} is not a checkpoint that chainrule wrote, or it is damaged: {error}"
        ) from error
    if head["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has the format {head['format']}, this chainrule reads {FORMAT}"
        )
    return arrays, kinds
