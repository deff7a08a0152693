"""`Tensor`: an array in a computation graph, under NumPy's own functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import ops
from chainrule.assignment import COPIED, Assignable, assignments, refresh_views
from chainrule.engine import Node, tick
from chainrule.errors import CompileError, RuleError
from chainrule.fingerprint import fingerprint
from chainrule.ops.updates import assigned
from chainrule.recording import WATCHED, lift, recording, tracers
from chainrule.sites import user_site
from chainrule.traced import NO_PARAMS, Traced

if TYPE_CHECKING:
    from collections.abc import Hashable

    from chainrule.traced import Params

_new = object.__new__
#: Classes of constants that NumPy computes with as they are.
READY = frozenset({float, int, bool, np.float64, np.float32, complex, np.complex128})
#: In place of the fingerprint of a leaf's array that nobody outside has seen.
PRIVATE = object()
#: In place of the fingerprint of a leaf's array that is part of a longer one.
LENT = object()
#: Not empty from the first such leaf on.
loans: list[bool] = []


class Tensor(Assignable):
    """An ndarray that remembers what it was computed from.

    Args:
        data: floating-point array or nested lists of floats. It is copied: a Tensor owns its data.
        label: a name for pictures, derivations and error messages.

    NumPy's functions and operators record on Tensors; plain arrays and floats among the inputs are
    constants. `grad` is None until a backward; then leaves and labelled nodes have an array of
    the shape and dtype of their data.

    Raises:
        TypeError: for integer or boolean data, which has no derivative.

    >>> import chainrule as cr
    >>> w = cr.Tensor([[1.0, 2.0], [3.0, 4.0]], label="W")
    >>> loss = np.sum(w * w)
    >>> loss.backward()
    >>> w.grad
    array([[2., 4.],
           [6., 8.]])
    """

    __slots__ = ("first_seen", "guards", "params")

    def __init__(self, data: Any, label: str | None = None) -> None:
        self._held = _private(_own_array(data))
        self.label = label
        self.op = self.grad = self.site = None
        self.inputs = ()
        self.params = NO_PARAMS
        self.guards = ()
        self.first_seen: Hashable = None
        self.index = tick()

    @property
    def data(self) -> np.ndarray:
        """The array. A leaf's can be written into; that of a computed Tensor is read-only."""
        if assignments:
            self.refresh()
        if tracers:
            lift((self,))
        if self.op is None:
            self._hand_out()
        array: np.ndarray = self._held
        if self.op is None:
            return array
        if _is_foreign(array):
            return np.copy(array)
        view = np.asarray(array).view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, value: Any) -> None:
        self.require_leaf()
        if tracers:
            lift((self,))
        if value is not self._held:  # `t.data -= step` has already written into it
            array = _own_array(value)
            if array.shape != self.shape:
                raise ValueError(f"data of shape {self.shape} expected, got {array.shape}")
            self.replace_data(array.astype(self.dtype, copy=False))
        else:
            self.renew()

    def replace_data(self, data: Any) -> None:
        if tracers:
            lift((self,))
        self._held = _private(np.asarray(data) if isinstance(data, np.generic) else data)
        self.first_seen = None
        self.renew()

    def lend(self, array: np.ndarray) -> None:
        """Keep a leaf's data in a part of a longer array, which somebody else writes into.

        Nobody sees that array: it is copied when the data is asked for.
        """
        array[...] = self._held
        self._held = array
        self.first_seen = LENT
        if not loans:
            loans.append(True)

    def _take_back(self) -> None:
        """Have an array of one's own again."""
        self._held = _private(np.array(self._held))
        self.first_seen = None

    def _hand_out(self) -> None:
        """Let a leaf's array out of here for the first time.

        Until now nobody could write into it, so nodes recorded so far hold no fingerprint of it;
        the one taken here is as good.
        """
        if self.first_seen is LENT:
            self._take_back()
        array = self._held
        if isinstance(array, np.ndarray) and self.first_seen is None:
            self.first_seen = fingerprint(array)
            array.flags.writeable = True

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self._held.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._held.dtype  # type: ignore[no-any-return]

    def item(self) -> Any:
        """The number of a one-element Tensor as a plain float or complex, outside the graph."""
        if self.size != 1:
            raise ValueError(f"item() needs one element, this Tensor has the shape {self.shape}")
        if assignments:
            self.refresh()
        number = self._held.item()
        return number if isinstance(number, complex) else float(number)

    def detach(self) -> Tensor:
        """A new leaf with a copy of the data; no gradient flows through it."""
        if assignments:
            self.refresh()
        return Tensor(self._held, label=self.label)

    def apply(self, op: Any, inputs: tuple[Any, ...], params: Params) -> Any:
        arrays = []
        if assignments and op is not assigned:
            refresh_views(inputs)
        if tracers:
            lift(inputs)
        if loans and op.views and inputs[0].__class__ is Tensor and inputs[0].first_seen is LENT:
            inputs[0]._take_back()  # a view stays as it is when the lent array is written into
        for i, x in enumerate(inputs):
            if x.__class__ is Tensor:
                arrays.append(x._held)
            elif x.__class__ in READY or (x.__class__ is np.ndarray and x.dtype.kind in "fciub"):
                arrays.append(x)
            else:
                arrays.append(_as_constant(x, op))
                inputs = (*inputs[:i], arrays[i], *inputs[i + 1 :])
        y_data = _computed(op, arrays, params)
        if not op.differentiable:
            return y_data
        y = _new(Tensor)
        y._held = y_data
        y.grad = y.label = None
        y.params = params
        y.first_seen = None
        y.index = tick()
        mode = recording()
        if mode:
            y.op = op
            y.inputs = inputs
            y.site = user_site(4)
            y.guards = _guards(op, inputs) if op.reads_data else ()
            if mode == WATCHED:
                y.watch_result(arrays)
        else:
            y._held = _private(_copied(y_data))
            y.op = y.site = None
            y.inputs = ()
            y.guards = COPIED if op.views else ()
        return y

    def changed_array(self) -> int | None:
        for position, before in self.guards:
            x = self.inputs[position]
            if before is PRIVATE:
                if x.first_seen is not None and fingerprint(x._held) != x.first_seen:
                    return position
            elif fingerprint(x._held if type(x) is Tensor else x) != before:
                return position
        return None

    def new_seed(self, seed: Any) -> Any:
        if assignments:
            self.refresh()
        if seed is None:
            if self.size != 1:
                raise ValueError(
                    f"backward from shape {self.shape} needs a seed of that shape: reduce to one"
                    f" number first (np.sum, np.mean), or pass the cotangent, backward(seed)"
                )
            if self.dtype.kind == "c":
                raise TypeError(
                    "backward from a complex number needs a seed: a loss is real (np.real, np.abs),"
                    " and for the derivative of a holomorphic function the seed is 1"
                )
            return np.ones_like(self._held)
        seed = seed if hasattr(seed, "shape") else np.array(seed)
        if seed.dtype.kind not in ("fciub" if self.dtype.kind == "c" else "fiub"):
            raise TypeError(f"a seed of real numbers expected, got {seed.dtype}")
        if seed.shape != self.shape:
            raise ValueError(f"a seed of shape {self.shape} expected, got {seed.shape}")
        if isinstance(seed, Traced):
            same = seed.dtype == self.dtype  # type: ignore[attr-defined]
            return seed if same else ops.astype(seed, self.dtype)
        return _copied(seed.astype(self.dtype))

    def fit_cotangent(self, x_bar: Any, consumer: Node) -> Any:
        own = self._held
        given = x_bar._held if type(x_bar) is Tensor else x_bar
        if not hasattr(given, "dtype"):
            x_bar = given = np.asarray(given)
        if given.shape == own.shape:
            if given.dtype == own.dtype:
                return x_bar
            if _precision(given.dtype) in {
                _precision(consumer._held.dtype),  # the op had promoted this input
                _precision(own.dtype),  # a real input among complex ones, or the other way round
            }:
                return ops.astype(x_bar, own.dtype)
        raise RuleError(
            f"the rule of {consumer.describe()} returned a cotangent of shape {given.shape} and"
            f" dtype {given.dtype}; shape {own.shape} and dtype {own.dtype} were expected"
        )

    def own(self, x_bar: Any) -> Any:
        # The same cotangent may have gone to several nodes, or be a view.
        if type(x_bar) is Tensor:
            return ops.positive(x_bar)
        return x_bar if isinstance(x_bar, Traced) else _copied(x_bar)

    def keeps_grad(self) -> bool:
        return self.op is None or self.label is not None

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        if assignments:
            self.refresh()
        label = f", label={self.label!r}" if self.label else ""
        made = f", op={self.op.name}" if self.op is not None else ""
        body = repr(self._held)
        if isinstance(self._held, np.ndarray | np.generic):
            body = np.array2string(np.asarray(self._held), separator=", ", prefix="Tensor(")
        kind = "" if self.dtype == np.float64 else f", dtype={self.dtype}"
        return f"Tensor({body}{kind}{label}{made})"


def _computed(op: Any, arrays: list[Any], params: Params) -> Any:
    """The forward of an op, its complaints with the op's name and shapes."""
    if op.real_only:
        op.require_real(arrays)
    try:
        y_data = op.compute(arrays, params)
    except CompileError:  # says all itself
        raise
    except (ValueError, IndexError, TypeError) as error:
        raise _refused(op, arrays, params, error) from None
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


def _precision(dtype: np.dtype[Any]) -> tuple[bool, int]:
    """The width of a floating-point number; that of each part of a complex one."""
    return dtype.kind in "fc", dtype.itemsize // (2 if dtype.kind == "c" else 1)


def _private(array: Any) -> Any:
    """An array marked as known to its Tensor alone."""
    if isinstance(array, np.ndarray):
        array.flags.writeable = False
    return array


def _copied(x: Any) -> Any:
    """An array of its own; a NumPy scalar becomes one of shape ()."""
    return np.array(x) if isinstance(x, np.ndarray | np.generic) else np.copy(x)


def _is_foreign(x: Any) -> bool:
    """Whether x is another library's array that speaks NumPy's dispatch protocol."""
    return hasattr(x, "__array_function__") and not isinstance(x, np.ndarray)


def _own_array(data: Any) -> Any:
    """A copy of the data as a floating-point array; TypeError with advice for anything else."""
    if isinstance(data, Traced):
        raise TypeError(f"Tensor data must be plain, got a {type(data).__name__}: use its .data")
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(
            "Tensor data cannot be masked: fill the gaps, and use np.where for the mask"
        )
    array = data.copy() if _is_foreign(data) else np.array(data)
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


def _as_constant(x: Any, op: Any) -> Any:
    """A plain input as something NumPy computes with; TypeError for what is no number."""
    if isinstance(x, Traced):
        raise TypeError(
            f"{op.name} got a Tensor and a {type(x).__name__}: they do not mix, make both Tensors"
        )
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{op.name} got a masked array beside a Tensor: use np.where for the mask")
    # A memmap or matrix becomes a plain view.
    constant = x if _is_foreign(x) else np.asarray(x)
    if getattr(constant, "dtype", np.dtype(float)).kind not in "fiubc":
        raise TypeError(f"{op.name} takes numbers and arrays of numbers, got {type(x).__name__}")
    return constant


def _guards(op: Any, inputs: tuple[Any, ...]) -> tuple[tuple[int, Hashable], ...]:
    """Fingerprints of the arrays that the rule needs and that somebody could write into.

    Data of a computed Tensor is only handed out read-only; it can change all the same where it
    is a view into a leaf. A leaf's array that was never handed out needs no fingerprint yet.
    """
    guards = []
    for position, x in enumerate(inputs):
        if not op.needs_input(position):
            continue
        array = x
        if type(x) is Tensor:
            array = x._held
            if x.op is not None and getattr(array, "base", None) is None:
                continue
        if isinstance(array, np.ndarray):
            private = type(x) is Tensor and x.op is None and x.first_seen is None
            guards.append((position, PRIVATE if private else fingerprint(array)))
    return tuple(guards)


def _refused(op: Any, arrays: list[Any], params: Params, error: Exception) -> Exception:
    """NumPy's complaint with the op and the shapes it got."""
    given = ", ".join(str(getattr(x, "shape", x)) for x in arrays)
    extra = "".join(f", {key}={value!r}" for key, value in params.items())
    kind = next(kind for kind in (IndexError, TypeError, ValueError) if isinstance(error, kind))
    return kind(f"{op.name} cannot take shapes {given}{extra}: {error}")
