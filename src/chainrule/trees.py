"""Nested containers of arrays: lists, tuples, dicts, named tuples and dataclasses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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
        fields = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
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
        return dataclasses.replace(
            shape.original, **{key: _rebuilt(item, given) for key, item in items.items()}
        )
    parts = [_rebuilt(item, given) for item in items]
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def _like_dict(original: Any, filled: dict[Any, Any]) -> Any:
    """A dict of a subclass, such as OrderedDict or defaultdict."""
    twin = original.copy()
    twin.update(filled)
    return twin


def same_structure(a: Any, b: Any) -> bool:
    """Whether two trees have the same containers, keys and lengths."""
    return bool(_signature(a) == _signature(b))


def _signature(tree: Any) -> Any:
    leaves: list[Any] = []

    def signed(shape: Any) -> Any:
        if not isinstance(shape, _Container):
            return shape
        if isinstance(shape.items, dict):
            return shape.kind, {key: signed(item) for key, item in shape.items.items()}
        return shape.kind, [signed(item) for item in shape.items]

    return signed(_shape_of(tree, leaves))


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """A tree of the results of a function on every leaf."""
    leaves, rebuild = flatten(tree)
    return rebuild([function(leaf) for leaf in leaves])
