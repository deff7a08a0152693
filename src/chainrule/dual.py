"""`Dual`: a number with its tangent, for forward mode."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.arrays import ArrayOperators, assign_through
from chainrule.ops.base import shape_of, zeros_like
from chainrule.recording import flaw, recording, watching
from chainrule.sites import site_text, user_site
from chainrule.traced import plain

if TYPE_CHECKING:
    from chainrule.traced import Params

#: Every forward sweep gets a level of its own, so that nested sweeps keep their tangents apart.
new_level = itertools.count(1).__next__


class Dual(ArrayOperators):
    """A primal and its tangent; the primal may be a float, an array, a node, or a dual again."""

    __slots__ = ("level", "primal", "source", "tangent", "version")

    def __init__(self, primal: Any, tangent: Any, level: int) -> None:
        self.primal = primal
        self.tangent = tangent
        self.level = level
        #: How often this dual was assigned to.
        self.version = 0
        #: Of a view: the op that made it, its static arguments, the dual it is a view of, and the
        #: version of that one which it shows.
        self.source: tuple[Any, Params, Dual, int] | None = None

    def inside(self) -> Any:
        return self.primal

    @property
    def data(self) -> Any:
        """The number or array behind all duals and nodes, outside every derivative."""
        self.refresh()
        return plain(self.primal)

    def item(self) -> Any:
        """The number of a one-element dual as a plain float or complex."""
        number = np.asarray(self.data).item()
        return number if isinstance(number, complex) else float(number)

    def detach(self) -> Any:
        """The primal without its tangent, and out of every graph."""
        return self.primal.detach() if hasattr(self.primal, "detach") else self.primal

    def __bool__(self) -> bool:
        return bool(self.data)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return getattr(self.primal, "shape", ())

    @property
    def dtype(self) -> Any:
        return self.primal.dtype

    def apply(self, op: Any, inputs: tuple[Any, ...], params: Params) -> Any:
        mine = [isinstance(x, Dual) and x.level == self.level for x in inputs]
        for x, own in zip(inputs, mine, strict=True):
            if own and x.source is not None:
                x.refresh()
        primals = tuple(x.primal if own else x for x, own in zip(inputs, mine, strict=True))
        if op.real_only:
            op.require_real(primals)
        y = op.apply(primals, params)
        if not op.differentiable or not recording():
            return y
        tangents = [x.tangent if own else None for x, own in zip(inputs, mine, strict=True)]
        with np.errstate(divide="ignore", invalid="ignore"):  # a zero tangent may undo them
            y_dot = op.jvp(tangents, y, primals, params)
        if watching():
            self._watch(op, plain(y), plain(y_dot), primals, tangents)
        if y_dot is None:
            return y
        result = Dual(y, y_dot, self.level)
        if op.views and np.may_share_memory(plain(y), plain(primals[0])):
            result.source = (op, params, inputs[0], inputs[0].version)
        return result

    @staticmethod
    def _watch(op: Any, y: Any, y_dot: Any, primals: Any, tangents: Any) -> None:
        """Raise where the op or its derivative made NaN or infinity of finite numbers."""
        sources = [plain(x) for x in primals]
        name = flaw(y, sources)
        what = op.name
        if not name and y_dot is not None:
            name = flaw(y_dot, [y, *sources, *[plain(t) for t in tangents if t is not None]])
            what = f"the derivative of {op.name}"
        if name:
            raise FloatingPointError(
                f"{what} at {site_text(user_site(3))} made {name} of finite numbers, in a result of"
                f" shape {shape_of(y)}"
            )

    def refresh(self) -> None:
        """See what was assigned to the dual of which this one is a view."""
        chain, dual = [], self
        while dual.source is not None:
            chain.append(dual)
            dual = dual.source[2]
        for dual in reversed(chain):  # the oldest first; none may recurse
            assert dual.source is not None
            op, params, base, seen = dual.source
            if base.version != seen:
                dual.source = None
                dual._become(op.apply((base,), params))
                dual.source = (op, params, base, base.version)

    def __copy__(self) -> Any:
        return +self

    def __deepcopy__(self, _memo: Any) -> Any:
        return +self

    def _become(self, result: Any) -> None:
        if isinstance(result, Dual):
            self.primal, self.tangent, self.level = result.primal, result.tangent, result.level
        else:
            self.primal, self.tangent = result, zeros_like(result)
        self.version += 1

    def __setitem__(self, index: Any, value: Any) -> None:
        """Assign to entries, as for Tensors; views share the assignment."""
        self.refresh()
        if self.source is None:
            self._become(self.at[index].set(value))
        else:
            chain, root = [], self
            while root.source is not None:
                op, params, base, _ = root.source
                chain.append((op, params))
                root = base
            assign_through(chain, root, index, value)
            self.refresh()

    def in_place(self, result: Any) -> Any:
        """`a += b` changes a in its place, as in NumPy; a number gets a new dual."""
        if not self.shape:
            return result
        self[...] = result
        return self

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        return f"Dual({self.primal!r}, {self.tangent!r})"
