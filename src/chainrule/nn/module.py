"""What every network has in common: parameters by name, freezing, a state to save, a summary."""

from __future__ import annotations

import copy
import functools
from contextvars import ContextVar
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from chainrule.engine import Node
from chainrule.nn.places import mapped, places
from chainrule.ops.base import shape_of
from chainrule.recording import evaluation, no_grad
from chainrule.saving import state_of, take_over
from chainrule.scopes import call_scoped
from chainrule.tensor import Tensor
from chainrule.traced import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Told of every call of a module and its result; for `summary`.
_observer: ContextVar[Callable[[Any, Any], Any] | None] = ContextVar("observer", default=None)


class Module:
    """Something with parameters: a layer, or a network of layers. A subclass has `__call__`.

    A module is a plain container. Every `Tensor` and `Value` among its attributes is a parameter,
    also in lists, dicts and other modules, and has the name of its place: `layers.0.W`. One that is
    there twice is one parameter, under its first name. Plain arrays are constants.

    What a module computes when it is called is drawn together in pictures, under the name it has in
    your program: `net.layers[0]`.

    >>> import chainrule as cr
    >>> class Scaled(cr.nn.Module):
    ...     def __init__(self):
    ...         self.factor = cr.Tensor([2.0, 3.0])
    ...         self.inner = cr.nn.Linear(2, 1, seed=0)
    ...
    ...     def __call__(self, x):
    ...         return self.inner(self.factor * x)
    >>> {name: p.shape for name, p in Scaled().named_parameters().items()}
    {'factor': (2,), 'inner.W': (2, 1), 'inner.b': (1,)}
    """

    #: Attributes that are part of the state and are not trained, such as running means.
    STATISTICS: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__call__" in cls.__dict__:
            setattr(cls, "__call__", _wrapped(cls.__dict__["__call__"]))  # noqa: B010 -- for mypy

    def modules(self) -> dict[str, Module]:
        """This module, under an empty name, and all inside, each once, by name."""
        inner = {name: x for name, _, x in self._walk("", {}) if isinstance(x, Module)}
        return {"": self, **inner}

    def _walk(self, path: str, seen: dict[int, Any]) -> Iterator[tuple[str, bool, Any]]:
        """All that is inside, in the order of the attributes: its name, and whether it is trained.

        Every module, node and random generator comes once, under its first name.
        """
        seen[id(self)] = self
        named: set[str] = set()
        for attribute, held in vars(self).items():
            for name, x in places({attribute: held} if attribute != "_frozen" else {}, path):
                if id(x) in seen or not isinstance(x, Module | Node | np.random.Generator):
                    continue
                seen[id(x)] = x
                if name in named:
                    raise ValueError(f"two parameters or modules are called {name}: rename a key")
                named.add(name)
                yield name, isinstance(x, Node) and attribute not in self.STATISTICS, x
                if isinstance(x, Module):
                    yield from x._walk(name, seen)

    def _own(self) -> dict[str, Any]:
        """The parameters, statistics and modules of this module alone."""
        found = places({k: x for k, x in vars(self).items() if k != "_frozen"}, "")
        return {name: x for name, x in found if isinstance(x, Module | Node)}

    # ------------------------------------------------------------------------------ parameters

    def named_parameters(self) -> dict[str, Any]:
        """The parameters that are trained, each once, by name, in the order of the attributes."""
        frozen = {id(leaf) for m in self.modules().values() for leaf in m._frozen_ones()}
        return {name: p for name, p in self._all_parameters().items() if id(p) not in frozen}

    def parameters(self) -> list[Any]:
        """The parameters that are trained, each once."""
        return list(self.named_parameters().values())

    def _all_parameters(self) -> dict[str, Any]:
        return {name: x for name, trained, x in self._walk("", {}) if trained}

    def _held(self) -> dict[str, Any]:
        """Parameters, statistics and random generators."""
        return {name: x for name, _, x in self._walk("", {}) if not isinstance(x, Module)}

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters, so that the next backward starts from none."""
        for p in self._all_parameters().values():
            p.grad = None

    def to(self, convert: Callable[[Any], Any]) -> Self:
        """Hold all data, parameters and statistics, as arrays of another library.

        Args:
            convert: makes such an array, as `cupy.asarray` does; `cupy.asnumpy` is the way back.
                The arrays have to speak NumPy's dispatch protocols.
        """
        for leaf in self._held().values():
            if isinstance(leaf, Node):
                leaf.data = convert(leaf.data)
        return self

    def astype(self, dtype: Any) -> Self:
        """Hold all Tensors in another precision, `np.float32` or `np.float64`."""
        for leaf in self._held().values():
            if isinstance(leaf, Tensor):
                leaf.replace_data(leaf.data.astype(dtype))
        return self

    # -------------------------------------------------------------------------------- freezing

    def freeze(self) -> None:
        """Leave the parameters of this module out of `parameters()`, here and in what it is in.

        Freeze before you make the optimiser: one that has a parameter already goes on changing it.
        `backward()` computes the gradient all the same.

        >>> import chainrule as cr
        >>> net = cr.nn.MLP([3, 4, 2])
        >>> net.layers[0].freeze()
        >>> list(net.named_parameters())
        ['layers.1.W', 'layers.1.b']
        """
        for module in self.modules().values():
            own = [x for x in module._own().values() if isinstance(x, Node)]
            module.__dict__["_frozen"] = own

    def unfreeze(self) -> None:
        """Train what was frozen."""
        for module in self.modules().values():
            module.__dict__.pop("_frozen", None)

    def _frozen_ones(self) -> list[Any]:
        frozen: list[Any] = self.__dict__.get("_frozen", [])
        return frozen

    # ------------------------------------------------------------------- the state, and a twin

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the module knows, as arrays by name.

        Parameters, frozen or not, statistics, and the states of random generators (as bytes).
        """
        return state_of(self._held())

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state that `state()` gave, of this module or one like it.

        Raises:
            ValueError: if a name is missing or unknown, or a shape or dtype does not fit; then
                nothing is changed.
        """
        take_over(self._held(), state, "the module")

    def with_parameters(self, params: Mapping[str, Any]) -> Any:
        """A twin with other parameters, for `cr.grad` and its kin; all else is shared.

        Args:
            params: arrays or traced arrays by name, as in `named_parameters()`; those that are not
                there stay.

        Raises:
            ValueError: for an unknown name, or another shape.

        >>> import chainrule as cr
        >>> net = cr.nn.Linear(2, 1, seed=0)
        >>> loss = lambda params: np.sum(net.with_parameters(params)(np.ones((1, 2))))
        >>> cr.grad(loss)({"W": net.W.data, "b": net.b.data})["b"]
        array([1.])
        """
        own = self._all_parameters()
        for name, given in params.items():
            if name not in own:
                raise ValueError(f"no parameter {name}: there are {', '.join(own)}")
            if shape_of(given) != shape_of(own[name]):
                raise ValueError(
                    f"{name} has the shape {shape_of(own[name])}, not {shape_of(given)}"
                )
        swapped: dict[int, Any] = {id(own[name]): given for name, given in params.items()}

        def other(x: Any) -> Any:
            if isinstance(x, Module) and id(x) not in swapped:
                twin = swapped[id(x)] = copy.copy(x)
                for name, thing in vars(x).items():
                    object.__setattr__(twin, name, mapped(other, thing))
            if isinstance(x, MethodType) and isinstance(x.__self__, Module):
                return MethodType(x.__func__, other(x.__self__))
            if isinstance(x, functools.partial):
                return functools.partial(other(x.func), *map(other, x.args), **x.keywords)
            return swapped.get(id(x), x)

        return other(self)

    # --------------------------------------------------------------------------------- to read

    def describe(self) -> str:
        """The kind of the module with its sizes, such as `Linear(3, 4)`."""
        inner = [x.describe() for x in self._own().values() if isinstance(x, Module)]
        return f"{type(self).__name__}({', '.join([*self._own_arrays(), *inner])})"

    def _own_arrays(self) -> list[str]:
        own = {k: x for k, x in self._own().items() if k not in self.STATISTICS}
        return [f"{k} {shape_of(x)}" for k, x in own.items() if isinstance(x, Node)]

    def __repr__(self) -> str:
        return f"{self.describe()}: {self._count()}"

    def _count(self) -> str:
        everything, trained = (
            sum(np.size(plain(p)) for p in some)
            for some in (self._all_parameters().values(), self.parameters())
        )
        frozen = f", {everything - trained:,} of them frozen" if trained < everything else ""
        return f"{everything:,} parameter{'s' if everything != 1 else ''}{frozen}"

    def summary(self, *inputs: Any) -> str:
        """A table of the modules: the kind of each, the parameters of its own, what it gave.

        Args:
            inputs: what the module is called with, in evaluation, to see the shapes of results.

        >>> import chainrule as cr
        >>> print(cr.nn.MLP([3, 4, 2]).summary(np.ones((5, 3))))
        name      kind          parameters        result
                  MLP                             (5, 2)
        layers.0  Linear(3, 4)  W (3, 4), b (4,)  (5, 4)
        layers.1  Linear(4, 2)  W (4, 2), b (2,)  (5, 2)
        26 parameters
        """
        results: dict[int, str] = {}
        if inputs:
            token = _observer.set(lambda m, y: results.setdefault(id(m), _shapes(y)))
            try:
                with no_grad(), evaluation():
                    self(*inputs)  # type: ignore[operator]
            finally:
                _observer.reset(token)
        rows = [("name", "kind", "parameters", "result")]
        for name, module in self.modules().items():
            inner = any(isinstance(x, Module) for x in module._own().values())
            kind = type(module).__name__ if inner else module.describe()
            own = ", ".join(module._own_arrays())
            rows.append((name, kind, own, results.get(id(module), "")))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            "  ".join(f"{cell:{n}}" for cell, n in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join(line.rstrip() for line in [*lines, self._count()])


def _wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
    """A method that is a scope, and whose result is shown to who looks for it.

    Pickled by value, as classes of a script are for workers, it takes nothing along but `called`.
    """

    @functools.wraps(call)
    def wrapped_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return called(call, self, args, kwargs)

    return wrapped_call


def called(call: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
    """Call a module."""
    result = call_scoped(call, module, args, kwargs)
    observer = _observer.get()
    if observer is not None:
        observer(module, result)
    return result


def _shapes(result: Any) -> str:
    if isinstance(result, list | tuple):
        return ", ".join(map(_shapes, result))
    return str(shape_of(result))
