"""What makes a traced array feel like NumPy: methods, and NumPy's two dispatch protocols."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops import arithmetic as ar
from chainrule.ops import shapes as sh
from chainrule.ops.base import Op, is_complex
from chainrule.ops.broadcasting import astype
from chainrule.ops.dispatch import answer_for, numpys_call
from chainrule.ops.operators import Operators
from chainrule.ops.rearranging import reshape_in_order
from chainrule.ops.registry import BY_NUMPY, PLAIN, bare
from chainrule.ops.ufunc_methods import ufunc_method
from chainrule.ops.updates import At
from chainrule.traced import plain

if TYPE_CHECKING:
    from collections.abc import Iterator


class ArrayOperators(Operators):
    """Methods and protocols shared by `Tensor`, `Dual` and `Symbol`."""

    __slots__ = ()
    shape: tuple[int, ...]
    dtype: Any

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

    @property
    def mT(self) -> Any:  # noqa: N802
        """The last two axes exchanged."""
        return sh.matrix_transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return ar.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return ar.imag(self)

    @property
    def at(self) -> At:
        """Functional updates: `t.at[index].set(v)` and its kin give a new array."""
        return At(self)

    @property
    def flat(self) -> Iterator[Any]:
        """The entries one after the other."""
        return iter(sh.reshape(self, (-1,)))

    def astype(self, dtype: Any, *, copy: bool = True, **_options: Any) -> Any:
        """Converted to another floating-point dtype; to whole numbers or truth values plainly."""
        if np.dtype(dtype).kind not in "fc":
            return plain(self).astype(dtype)
        if np.dtype(dtype).kind == "f" and is_complex(self):
            raise TypeError("astype of complex numbers to real ones: take np.real or np.abs")
        if self.dtype == dtype:
            return ar.positive(self) if copy else self
        return astype(self, dtype)

    def copy(self, order: str = "C") -> Any:
        """The same entries as a new node, in C order: what is a view of it is as in NumPy."""
        data = plain(self)
        if isinstance(data, np.ndarray) and not data.flags.c_contiguous:
            return sh.reshape(ar.positive(sh.reshape(self, (-1,))), self.shape)
        return ar.positive(self)

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """The entries along an axis where a condition holds."""
        return np.compress(condition, self, axis)

    def flatten(self, order: str = "C") -> Any:
        """The entries in one axis."""
        return ar.positive(reshape_in_order(self, (-1,), order))

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """The same entries in another shape."""
        wanted = shape[0] if len(shape) == 1 else shape
        return sh.reshape(self, wanted) if order == "C" else reshape_in_order(self, wanted, order)

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
        raise TypeError(f"entries of a {type(self).__name__} cannot be assigned: x.at[i].set(v)")

    def in_place(self, result: Any) -> Any:
        """What `a += b` makes of `a`; here a new array, as for numbers."""
        return result

    def __iadd__(self, other: Any) -> Any:
        return self.in_place(self + other)

    def __isub__(self, other: Any) -> Any:
        return self.in_place(self - other)

    def __imul__(self, other: Any) -> Any:
        return self.in_place(self * other)

    def __itruediv__(self, other: Any) -> Any:
        return self.in_place(self / other)

    def __ipow__(self, other: Any) -> Any:
        return self.in_place(self**other)

    def __ifloordiv__(self, other: Any) -> Any:
        return self.in_place(self // other)

    def __imod__(self, other: Any) -> Any:
        return self.in_place(self % other)

    def __imatmul__(self, other: Any) -> Any:
        return self.in_place(self @ other)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs:
            inputs, kwargs = _plain_call(self, ufunc, method, inputs, kwargs)
        op = BY_NUMPY.get(ufunc)
        if isinstance(op, Op) and method == "__call__":
            if op.arity == 2 and len(inputs) == 2 and not kwargs:
                return self.apply_binary(op, *inputs)
            return op(*inputs, **kwargs)
        if method != "__call__":
            if ufunc in PLAIN or not getattr(op, "differentiable", True):
                return getattr(ufunc, method)(*bare(inputs), **kwargs)
            return ufunc_method(ufunc, method, *inputs, **kwargs)
        return (answer_for(ufunc) if op is None else op)(*inputs, **kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        body = answer_for(function)
        args, kwargs = numpys_call(function, args, kwargs)
        result = body(*args, **kwargs)
        return result if function in VIEWING else _not_the_same(result, args)

    def __array__(self, *_args: Any, **_kwargs: Any) -> np.ndarray:
        raise TypeError(
            f"{_converting()} would take a {type(self).__name__} out of the graph: use .data for"
            f" the plain array, np.stack([t, u]) to join several (with `import chainrule.numpy as"
            f" np` also np.array([t, u])), and to fill an array entry by entry start from"
            f" np.zeros_like(t)"
        )

    def __dlpack__(self, **options: Any) -> Any:
        """A copy of a leaf's data for another library, such as `torch.from_dlpack(t)`.

        It is contiguous: PyTorch ends the process at a negative stride.
        """
        return self._exported().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._exported().__dlpack_device__()

    def _exported(self) -> Any:
        if getattr(self, "op", self) is not None:
            raise TypeError(
                f"a computed {type(self).__name__} would lose its graph in another library: export"
                f" its .data, np.ascontiguousarray(t.data)"
            )
        data = plain(self)
        return np.array(data, order="C") if isinstance(data, np.ndarray) else data.copy()

    def __float__(self) -> float:
        raise TypeError(
            f"float() would take a {type(self).__name__} out of the graph: use NumPy's function"
            f" (np.sin, not math.sin); to fill an array start from np.zeros_like(t), not np.zeros;"
            f" .item() is the plain number, without a derivative"
        )

    __int__ = __complex__ = __index__ = __float__


def assign_through(chain: list[Any], root: Any, index: Any, value: Any) -> None:
    """Assign to entries of a view of a view …: they are entries of the root.

    The chain has the op and the static arguments of every view, the last one taken first.
    """
    places: Any = np.arange(root.size).reshape(root.shape)
    for op, params in reversed(chain):
        if op.views != "write":
            raise TypeError(
                f"nothing is written through a view made by {op.name}: copy first, t = +t"
            )
        places = op.compute((places,), params)
    root[np.unravel_index(places[index], root.shape)] = value


#: Functions that give NumPy's users a view, or the array itself.
VIEWING = {
    *(np.reshape, np.ravel, np.squeeze, np.transpose, np.swapaxes, np.moveaxis, np.rollaxis),
    *(np.expand_dims, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.broadcast_to, np.real),
    *(np.broadcast_arrays, np.diagonal, np.flip, np.fliplr, np.flipud, np.matrix_transpose),
}


def _not_the_same(result: Any, args: Any) -> Any:
    """A result that is one of the arguments as a copy, which may be assigned to."""
    if isinstance(result, tuple | list):
        parts = [_not_the_same(part, args) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    for x in args:
        if result is x or (isinstance(x, tuple | list) and any(result is item for item in x)):
            return ar.positive(result) if isinstance(result, ArrayOperators) else result
    return result


def _converting() -> str:
    """Who converts: a function of SciPy's, or the program itself."""
    frame = sys._getframe(2)
    for _ in range(8):
        if frame is None:
            break
        module = frame.f_globals.get("__name__", "")
        if module.startswith("scipy.special"):
            name = frame.f_code.co_name
            return f"scipy.special.{name} converts its arguments (chainrule.special has it), which"
        frame = frame.f_back  # type: ignore[assignment]
    return "this"


#: What a call of a ufunc may say about memory, without a meaning here.
_HARMLESS: dict[str, set[Any]] = {
    "order": {"K", "C", "A", "F"},
    "subok": {True},
    "casting": {"same_kind", "unsafe"},
}


def _plain_call(
    array: ArrayOperators, ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """NumPy's options of a ufunc: done, ignored where harmless, or refused."""
    name = ufunc.__name__
    if kwargs.pop("out", None) is not None:
        raise TypeError(
            f"np.{name} cannot write the result for a {type(array).__name__} into an array: it"
            f" would leave the graph; write c = a + t instead of a += t or out=a"
        )
    for key, allowed in _HARMLESS.items():
        if key in kwargs and kwargs.pop(key) not in allowed:
            raise TypeError(f"np.{name} of a {type(array).__name__} takes no other {key}=")
    if method != "__call__":
        return inputs, kwargs
    if kwargs.pop("where", True) is not True:
        raise TypeError(
            f"np.{name} with where= leaves the other entries undefined: use np.where on the result"
        )
    dtype = kwargs.pop("dtype", None)
    if dtype is not None:
        inputs = tuple(_converted(x, np.dtype(dtype)) for x in inputs)
    return inputs, kwargs


def _converted(x: Any, dtype: Any) -> Any:
    if dtype.kind not in "fc":
        raise TypeError(f"dtype={dtype} has no derivatives: a floating-point one, please")
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype)


def _as_method(function: Any) -> Any:
    """A method that calls NumPy's function of the same name."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = function.__name__
    method.__doc__ = f"`np.{function.__name__}` of this array, with the same arguments."
    return method


for _function in (
    *(np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std, np.ptp, np.cumsum, np.cumprod),
    *(np.squeeze, np.swapaxes, np.ravel, np.repeat, np.take, np.choose, np.trace),
    *(np.diagonal, np.dot, np.clip, np.round, np.nonzero, np.searchsorted, np.argmax, np.argmin),
    *(np.argsort, np.argpartition, np.any, np.all, np.conjugate),
):
    setattr(ArrayOperators, _function.__name__, _as_method(_function))
ArrayOperators.conj = ArrayOperators.conjugate  # type: ignore[attr-defined]
