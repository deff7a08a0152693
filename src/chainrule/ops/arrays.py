"""What makes a traced array feel like NumPy: methods, and NumPy's two dispatch protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops import BY_NUMPY
from chainrule.ops import reductions as red
from chainrule.ops import shapes as sh
from chainrule.ops.operators import Operators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What NumPy may ask of a traced array without computing anything.
FACTS: dict[Any, Callable[..., Any]] = {
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: a.size if axis is None else a.shape[axis],
}


class ArrayOperators(Operators):
    """Methods and protocols shared by `Tensor`, `Dual` and `Symbol`."""

    __slots__ = ()
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def T(self) -> Any:  # noqa: N802
        """The axes reversed."""
        return sh.transpose(self)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Sum over the given axes, by default all."""
        return red.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Arithmetic mean over the given axes, by default all."""
        return red.mean(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Largest entry; entries that tie share the derivative."""
        return red.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Smallest entry; entries that tie share the derivative."""
        return red.min(self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> Any:
        """The same entries in another shape."""
        return sh.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """Permute the axes, by default reverse them."""
        return sh.transpose(self, (axes[0] if len(axes) == 1 else axes) if axes else None)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"a {type(self).__name__} of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "assignment to entries is not recorded: build a new array (np.where, np.concatenate),"
            " or write into the data of a leaf before it is used, t.data[index] = …"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if kwargs.pop("out", None) is not None:
            raise TypeError(
                f"np.{name} cannot write the result for a {type(self).__name__} into an array: it"
                f" would leave the graph; write c = a + t instead of a += t or out=a"
            )
        if method != "__call__":
            raise TypeError(f"chainrule has no rule for np.{name}.{method}: {_way_out()}")
        return _op_for(ufunc)(*inputs, **kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if kwargs.pop("out", None) is not None:
            raise TypeError(f"np.{function.__name__} cannot write the result into out=")
        if function in FACTS:
            return FACTS[function](*args, **kwargs)
        return _op_for(function)(*args, **kwargs)

    def __array__(self, *_args: Any, **_kwargs: Any) -> np.ndarray:
        raise TypeError(
            f"this would take a {type(self).__name__} out of the graph: use .data for the plain"
            f" array, np.stack([t, u]) to join several"
        )

    def __float__(self) -> float:
        raise TypeError(
            f"float() would take a {type(self).__name__} out of the graph: use .item() for the"
            f" plain number, or NumPy's function (np.sin, not math.sin)"
        )

    __int__ = __complex__ = __index__ = __float__


def _op_for(function: Any) -> Any:
    op = BY_NUMPY.get(function)
    if op is None:
        module = getattr(function, "__module__", None) or "numpy"
        name = f"{module}.{function.__name__}".replace("numpy.", "np.", 1)
        raise TypeError(f"chainrule has no rule for {name}: {_way_out()}")
    return op


def _way_out() -> str:
    return "compose it of ops that have one, declare it (cr.op), or apply it to .data"
