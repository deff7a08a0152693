"""What a Tensor may hold, and what it may meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import CompileError
from chainrule.ops.base import is_of_another_library
from chainrule.traced import Traced

if TYPE_CHECKING:
    from chainrule.traced import Params

#: Not empty once there was a Tensor of another library's array.
foreigners: list[bool] = []
#: Classes of constants that NumPy computes with as they are.
READY = frozenset({float, int, bool, np.float64, np.float32, complex, np.complex128})


def computed(op: Any, arrays: list[Any], params: Params) -> Any:
    """The forward of an op, its complaints with the op's name and shapes."""
    if op.real_only:
        op.require_real(arrays)
    try:
        y_data = op.compute(arrays, params)
    except CompileError:  # says all itself
        raise
    except (ValueError, IndexError, TypeError) as error:
        raise refused(op, arrays, params, error) from None
    if op.differentiable:
        if not hasattr(y_data, "dtype"):
            if not isinstance(y_data, float | int):
                raise TypeError(f"{op.name} must return one array, it returned {y_data!r}")
            y_data = np.float64(y_data)
        if y_data.dtype.kind not in "fc":
            raise TypeError(f"{op.name} gave {y_data.dtype} data: only floating point is recorded")
        for array in arrays:
            if y_data is array:
                return y_data.view()  # so that it counts as a view of a leaf, see _guards
    return y_data


def precision(dtype: np.dtype[Any]) -> tuple[bool, int]:
    """The width of a floating-point number; that of each part of a complex one."""
    return dtype.kind in "fc", dtype.itemsize // (2 if dtype.kind == "c" else 1)


def private(array: Any) -> Any:
    """An array marked as known to its Tensor alone."""
    if isinstance(array, np.ndarray):
        array.flags.writeable = False
    return array


def copied(x: Any) -> Any:
    """An array of its own; a NumPy scalar becomes one of shape ()."""
    return np.array(x) if isinstance(x, np.ndarray | np.generic) else np.copy(x)


def is_foreign(x: Any) -> bool:
    """Whether x is another library's array that speaks NumPy's dispatch protocol."""
    return hasattr(x, "__array_function__") and not isinstance(x, np.ndarray)


def moved(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Inputs with constant arrays in the library that the others are of, if that is not NumPy."""
    held = (getattr(x, "_held", x) for x in inputs)
    model = next(filter(is_of_another_library, held), None)
    if model is None:
        return inputs
    return tuple(np.asarray(x, like=model) if type(x) is np.ndarray else x for x in inputs)


def own_array(data: Any) -> Any:
    """A copy of the data as a floating-point array; TypeError with advice for anything else."""
    if isinstance(data, Traced):
        raise TypeError(f"Tensor data must be plain, got a {type(data).__name__}: use its .data")
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(
            "Tensor data cannot be masked: fill the gaps, and use np.where for the mask"
        )
    foreign = is_foreign(data)
    if foreign and not foreigners:
        foreigners.append(True)
    array = data.copy() if foreign else np.array(data)
    kind = array.dtype.kind
    if kind in "iub":
        raise TypeError(
            f"Tensor data must be floating point to be differentiated, got {array.dtype}: write"
            f" 2.0 for 2, or convert with .astype(float); plain {array.dtype} arrays may be used"
            f" beside Tensors as constants"
        )
    if kind not in "fc":
        raise TypeError(f"Tensor data must be floating point, got {array.dtype}")
    return array


def as_constant(x: Any, op: Any) -> Any:
    """A plain input as something NumPy computes with; TypeError for what is no number."""
    if x.__class__ in READY or (x.__class__ is np.ndarray and x.dtype.kind in "fciub"):
        return x
    if isinstance(x, Traced):
        raise TypeError(
            f"{op.name} got a Tensor and a {type(x).__name__}: they do not mix, make both Tensors"
        )
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{op.name} got a masked array beside a Tensor: use np.where for the mask")
    # A memmap or matrix becomes a plain view.
    constant = x if is_foreign(x) else np.asarray(x)
    if getattr(constant, "dtype", np.dtype(float)).kind not in "fiubc":
        raise TypeError(f"{op.name} takes numbers and arrays of numbers, got {type(x).__name__}")
    return constant


def refused(op: Any, arrays: list[Any], params: Params, error: Exception) -> Exception:
    """NumPy's complaint with the op and the shapes it got."""
    given = ", ".join(str(getattr(x, "shape", x)) for x in arrays)
    extra = "".join(f", {key}={value!r}" for key, value in params.items())
    kind = next(kind for kind in (IndexError, TypeError, ValueError) if isinstance(error, kind))
    return kind(f"{op.name} cannot take shapes {given}{extra}: {error}")
