"""`Tensor`: an array in a computation graph, under NumPy's own functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import ops
from chainrule.assignment import COPIED, Assignable, assignments, refresh_views
from chainrule.engine import Node, tick
from chainrule.errors import RuleError
from chainrule.fingerprint import fingerprint, snapshot
from chainrule.holding import (
    as_constant,
    computed,
    copied,
    foreigners,
    is_foreign,
    moved,
    own_array,
    precision,
    private,
)
from chainrule.ops.updates import assigned
from chainrule.recording import ON, WATCHED, lift, recording, tracers
from chainrule.records import DATA, Form, Record, form_of, form_of_constant, remember
from chainrule.replay import replayed
from chainrule.sites import user_site
from chainrule.traced import NO_PARAMS, Traced

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from chainrule.traced import Params

_new = object.__new__
#: In place of the fingerprint of a leaf's array that nobody outside has seen.
PRIVATE = object()
#: In place of the fingerprint of a computed array that might have been a view and is none.
ALONE = object()
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

    __slots__ = ("first_seen", "form", "guards", "inputs", "label", "params", "record", "site")

    def __init__(self, data: Any, label: str | None = None) -> None:
        self._held = private(own_array(data))
        self.label = label
        self.op = self._grad = self.site = None
        self.inputs = ()
        self.params = NO_PARAMS
        self.guards = ()
        self.first_seen: Hashable = None
        self.record: Record | None = None
        self.form: Form | None = None
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
        if is_foreign(array):
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
            array = own_array(value)
            if array.shape != self.shape:
                raise ValueError(f"data of shape {self.shape} expected, got {array.shape}")
            self.replace_data(array.astype(self.dtype, copy=False))
        else:
            self.renew()

    def replace_data(self, data: Any) -> None:
        if tracers:
            lift((self,))
        self._held = private(np.asarray(data) if isinstance(data, np.generic) else data)
        self.first_seen = self.record = self.form = None
        self.renew()

    def lend(self, array: np.ndarray) -> None:
        """Keep a leaf's data in a part of a longer array, which somebody else writes into.

        Nobody sees that array: it is copied when the data is asked for.
        """
        array[...] = self._held
        self._held = array
        self.record = self.form = None
        self.first_seen = LENT
        if not loans:
            loans.append(True)

    def take_back(self) -> None:
        """Have an array of one's own again."""
        if self.first_seen is LENT:
            self._held = private(np.array(self._held))
            self.first_seen = self.record = self.form = None

    def _hand_out(self) -> None:
        """Let a leaf's array out of here for the first time.

        Until now nobody could write into it, so nodes recorded so far hold no fingerprint of it;
        the one taken here is as good.
        """
        self.take_back()
        array = self._held
        if isinstance(array, np.ndarray) and self.first_seen is None:
            self.form = self.record = None
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
        if tracers:
            lift((self,))
        number = self._held.item()
        return number if isinstance(number, complex) else float(number)

    def detach(self) -> Tensor:
        """A new leaf with a copy of the data; no gradient flows through it."""
        if assignments:
            self.refresh()
        if tracers:
            lift((self,))
        return Tensor(self._held, label=self.label)

    def apply(self, op: Any, inputs: tuple[Any, ...], params: Params) -> Any:
        if assignments and op is not assigned:
            refresh_views(inputs)
        if tracers:
            lift(inputs)
        if loans and op.views and inputs[0].__class__ is Tensor:
            inputs[0].take_back()  # a view stays as it is when the lent array is written into
        inputs = tuple([x if x.__class__ is Tensor else as_constant(x, op) for x in inputs])
        if foreigners:
            inputs = moved(inputs)
        arrays = [x._held if x.__class__ is Tensor else x for x in inputs]
        y_data = computed(op, arrays, params)
        if not op.differentiable:
            return y_data
        mode = recording()
        if not mode:
            return _unrecorded(op, params, y_data)
        y = _node(op, inputs, params, y_data, op.guarded(len(inputs)))
        if op.views and len(arrays) > 1 and not any(np.may_share_memory(y_data, x) for x in arrays):
            y.first_seen = ALONE
        if mode == WATCHED:
            y.watch_result(arrays)
        elif op.known and not (params or op.views or op.sequence):
            remember(op, tuple([form_in(x, op) for x in inputs]), y)
        return y

    def apply_unary(self, op: Any) -> Any:
        if tracers or assignments:
            return self.apply(op, (self,), NO_PARAMS)
        record = op.records.get(self.form or form_in(self, op))
        if record is None or recording() != ON:
            return self.apply(op, (self,), NO_PARAMS)
        try:
            y_data = op.forward(self._held)
        except (ValueError, IndexError, TypeError):
            return self.apply(op, (self,), NO_PARAMS)
        return _known(record, (self,), y_data)

    def apply_binary(self, op: Any, a: Any, b: Any) -> Any:
        if tracers or assignments:
            return op.apply((a, b), NO_PARAMS)
        if a.__class__ is Tensor:
            x, form = a._held, a.form or form_in(a, op)
        else:
            x, form = a, form_of_constant(a, op)
        if b.__class__ is Tensor:
            z, other = b._held, b.form or form_in(b, op)
        else:
            z, other = b, form_of_constant(b, op)
        record = op.records.get((form, other))
        if record is None or recording() != ON:
            return op.apply((a, b), NO_PARAMS)
        try:
            y_data = op.forward(x, z)
        except (ValueError, IndexError, TypeError):
            return op.apply((a, b), NO_PARAMS)
        return _known(record, (a, b), y_data)

    def changed_array(self, taken: dict[int, Any]) -> int | None:
        for position, before in self.guards:
            x = self.inputs[position]
            array = x._held if x.__class__ is Tensor else x
            if before is PRIVATE:
                if x.first_seen is not None and fingerprint(array) != x.first_seen:
                    return position
                continue
            now = taken.get(id(array))
            if now is None:
                now = taken[id(array)] = snapshot(array)
            if now != before:
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
        return copied(seed.astype(self.dtype))

    def fit_cotangent(self, x_bar: Any, consumer: Node) -> Any:
        own = self._held
        given = x_bar._held if type(x_bar) is Tensor else x_bar
        if not hasattr(given, "dtype"):
            x_bar = given = np.asarray(given)
        if given.shape == own.shape:
            if given.dtype == own.dtype:
                return x_bar
            if precision(given.dtype) in {
                precision(consumer._held.dtype),  # the op had promoted this input
                precision(own.dtype),  # a real input among complex ones, or the other way round
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
        return x_bar if isinstance(x_bar, Traced) else copied(x_bar)

    def cotangents(
        self, seed: Any, wanted: frozenset[int], since: int = 0
    ) -> Iterable[tuple[Node, Any]]:
        if assignments:
            self.refresh()
        found = replayed(self, seed, wanted, since)
        return super().cotangents(seed, wanted, since) if found is None else found

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


def form_in(x: Any, op: Any) -> Any:
    """The form of an input; None for what has none."""
    if x.__class__ is not Tensor:
        return form_of_constant(x, op)
    form = x.form
    if form is None and x._held.__class__ in DATA:
        form = form_of(x._held)
        if x.op is not None or x.first_seen is None:  # else somebody may set its shape
            x.form = form
    return form


def _known(record: Record, inputs: tuple[Any, ...], y_data: Any) -> Tensor:
    """The result of an op that is known on inputs of these forms."""
    y = _node(record.op, inputs, NO_PARAMS, y_data, record.guarded)
    y.record = record
    y.form = record.form
    return y


def _node(
    op: Any, inputs: tuple[Any, ...], params: Params, y_data: Any, guarded: tuple[int, ...]
) -> Tensor:
    """The result of an op, recorded."""
    y = _new(Tensor)
    y._held = y_data
    y.op = op
    y.inputs = inputs
    y.params = params
    y._grad = y.label = y.first_seen = y.form = y.record = None
    y.index = tick()
    y.guards = _guards(guarded, inputs) if guarded else ()
    y.site = user_site(5)
    return y


def _unrecorded(op: Any, params: Params, y_data: Any) -> Tensor:
    """The result of an op as a leaf."""
    y = _new(Tensor)
    y._held = private(copied(y_data))
    y.op = y._grad = y.label = y.first_seen = y.form = y.record = y.site = None
    y.inputs = ()
    y.params = params
    y.guards = COPIED if op.views else ()
    y.index = tick()
    return y


def _guards(positions: Any, inputs: tuple[Any, ...]) -> tuple[tuple[int, Hashable], ...]:
    """Snapshots of the arrays that the rule needs and that somebody could write into.

    Data of a computed Tensor is only handed out read-only; it can change all the same where it
    is a view into a leaf. A leaf's array that was never handed out needs none yet.
    """
    guards = []
    for position in positions:
        x = inputs[position]
        array = x
        if x.__class__ is Tensor:
            array = x._held
            if x.op is not None:
                if getattr(array, "base", None) is None or x.first_seen is ALONE:
                    continue
            elif x.first_seen is None:
                guards.append((position, PRIVATE))
                continue
        if isinstance(array, np.ndarray):
            guards.append((position, snapshot(array)))
    return tuple(guards)
