"""Nested containers of arrays: lists, tuples, dicts, named tuples and dataclasses."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of a tree from left to right, and a function that puts others in their place.

    A dict is read in its own order; None is a tree without leaves; whatever is no container is a
    leaf.
    """
    leaves: list[Any] = []
    shape = _shape_of(tree, leaves)

    def rebuild(others: list[Any]) -> Any:
        given = iter(others)
        result = _rebuilt(shape, given)
        if next(given, _END) is not _END:
            raise ValueError(f"{len(others)} leaves for a tree of {len(leaves)}")
        return result

    return leaves, rebuild


def replaced(items: Any, positions: Sequence[int], values: Any) -> list[Any]:
    """A copy of a list with other items at some positions."""
    filled = list(items)
    for i, value in zip(positions, values, strict=True):
        filled[i] = value
    return filled


_END = object()


class _Leaf:
    """The place of a leaf."""


def _shape_of(tree: Any, leaves: list[Any]) -> Any:
    """The containers of a tree, with its leaves collected on the way."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return _Container(type(tree), {k: _shape_of(v, leaves) for k, v in tree.items()}, tree)
    if isinstance(tree, list | tuple):
        return _Container(type(tree), [_shape_of(v, leaves) for v in tree], tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = vars_of(tree)
        return _Container(type(tree), {k: _shape_of(v, leaves) for k, v in fields.items()}, tree)
    leaves.append(tree)
    return _Leaf


class _Container:
    """A container and the shapes of what is in it."""

    def __init__(self, kind: Any, items: Any, original: Any) -> None:
        self.kind, self.items, self.original = kind, items, original


def _rebuilt(shape: Any, given: Any) -> Any:
    if shape is None:
        return None
    if shape is _Leaf:
        leaf = next(given, _END)
        if leaf is _END:
            raise ValueError("fewer leaves than the tree has")
        return leaf
    kind, items = shape.kind, shape.items
    if issubclass(kind, dict):
        filled = {key: _rebuilt(item, given) for key, item in items.items()}
        return filled if kind is dict else _like_dict(shape.original, filled)
    if isinstance(items, dict):
        twin = copy.copy(shape.original)
        for key, item in items.items():  # also of frozen ones, and of fields that are no arguments
            object.__setattr__(twin, key, _rebuilt(item, given))
        return twin
    parts = [_rebuilt(item, given) for item in items]
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def _like_dict(original: Any, filled: dict[Any, Any]) -> Any:
    """A dict of a subclass, such as OrderedDict or defaultdict."""
    twin = original.copy()
    twin.update(filled)
    return twin


def leaves_like(model: Any, tree: Any, message: str) -> list[Any]:
    """The leaves of a tree in the order of a model's, whatever the order of keys in its dicts.

    Raises:
        ValueError: with the message, if the structures differ.
    """
    leaves: list[Any] = []
    _collect(_shape_of(model, []), tree, leaves, message)
    return leaves


def _collect(shape: Any, tree: Any, leaves: list[Any], message: str) -> None:
    if shape is _Leaf and tree is not None and not isinstance(tree, dict):
        # Beside an array a list of numbers is one too.
        leaves.append(np.asarray(tree) if isinstance(tree, list | tuple) else tree)
    elif isinstance(shape, _Container) and isinstance(tree, shape.kind):
        items, parts = shape.items, _parts(tree)
        keys = items.keys() if isinstance(items, dict) else range(len(items))
        if len(items) != len(parts) or any(key not in parts for key in keys):
            raise ValueError(message)
        for key in keys:
            _collect(items[key], parts[key], leaves, message)
    elif shape is not None or tree is not None:
        raise ValueError(message)


def _parts(tree: Any) -> dict[Any, Any]:
    """What is in a container, by key, position or field."""
    if isinstance(tree, dict):
        return tree
    return dict(enumerate(tree)) if isinstance(tree, list | tuple) else vars_of(tree)


def vars_of(record: Any) -> dict[str, Any]:
    """The fields of a dataclass with their values."""
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """A tree of the results of a function on every leaf."""
    leaves, rebuild = flatten(tree)
    return rebuild([function(leaf) for leaf in leaves])
