"""What optimisers have in common: gradients in, new parameters and a new state out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from chainrule.engine import Node
from chainrule.optim.clipping import clip_by_norm, clip_by_value, in_precision
from chainrule.recording import lift, tracers
from chainrule.saving import state_of, take_over
from chainrule.tensor import Tensor
from chainrule.trees import flatten, leaves_like
from chainrule.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class State(NamedTuple):
    """What an optimiser remembers: the number of steps, and its slots for each parameter."""

    count: Any
    slots: list[tuple[Any, ...]]


class Optimizer:
    """Parameters that are changed by their gradients; the subclasses say how.

    With parameters it is the familiar object: `step()` after `backward()`. Without them it is a
    pair of pure functions on containers of arrays, `init(params)` and
    `update(gradients, state, params)`.

    A new one needs `new(p, g, slots, rate, count)`, and `SLOTS`, what it remembers of a parameter.

    Args:
        parameters: leaves, `Value` or `Tensor`; None for the pure functions alone.
        learning_rate: a positive number, or a schedule: a function of the number of steps before,
            such as `cr.optim.Cosine(0.1, 1000)`.
        weight_decay: λ; λ·w is added to the gradient. Where the class says that it is decoupled, w
            is multiplied by 1 - learning_rate·λ instead.
        clip_norm: gradients are made shorter, all by the same factor, where the Euclidean norm of
            all of them together is larger than this.
        clip_value: each entry of a gradient is kept from -clip_value to clip_value.

    Raises:
        ValueError: if there are no parameters, one is there twice, or a number is out of its range.
        TypeError: if a parameter was computed; only leaves can be changed.
    """

    #: What is remembered of each parameter: arrays like it, zero at first.
    SLOTS: ClassVar[tuple[str, ...]] = ()
    #: Whether `new` reads the number of the step.
    COUNTS: ClassVar[bool] = False
    DECOUPLED: ClassVar[bool] = False
    COMPLEX: ClassVar[bool] = False

    def __init__(
        self,
        parameters: Iterable[Node] | None,
        learning_rate: float | Callable[[Any], Any],
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        self.schedule = learning_rate if callable(learning_rate) else None
        #: Leaves, so that compiled code sees when they are changed: a rate, and 1 where it was set
        #: by hand, which a schedule then follows no more.
        self._rate = Value(1.0 if callable(learning_rate) else _positive_rate(learning_rate))
        self._fixed = Value(0.0 if callable(learning_rate) else 1.0)
        self.weight_decay = weight_decay
        self.clip_norm, self.clip_value = clip_norm, clip_value
        require(weight_decay >= 0, f"weight_decay={weight_decay}: at least 0")
        for name, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            require(limit is None or limit > 0, f"{name}={limit}: above 0, or None")
        self.parameters = [] if parameters is None else _checked(parameters)
        for p in self.parameters:
            self._require_real(p._held)
        #: The number of steps and the slots, as leaves that belong to the optimiser.
        self.steps = Tensor(0.0)
        self.slots = [tuple(map(_leaf, self.start(p._held))) for p in self.parameters]

    # ---------------------------------------------------------------- how one array is changed

    def new(self, p: Any, g: Any, slots: Any, rate: Any, count: Any) -> tuple[Any, tuple[Any, ...]]:
        """The new array, and the new slots, of a parameter.

        Args:
            p: the parameter, an array or a float.
            g: its gradient.
            slots: what is remembered of it.
            rate: the learning rate of this step, in the precision of p.
            count: the number of this step, 1 in the first, if `COUNTS`.
        """
        raise NotImplementedError

    def start(self, p: Any) -> list[Any]:
        """The slots before the first step."""
        return [np.zeros_like(p) if hasattr(p, "dtype") else 0.0 for _ in self.SLOTS]

    def _changed(self, p: Any, g: Any, slots: Any, rate: Any, count: Any) -> Any:
        if self.schedule is not None:
            rate = in_precision(rate, p)
        if self.weight_decay:
            if self.DECOUPLED:
                p = p * (1 - rate * self.weight_decay)
            else:
                g = g + self.weight_decay * p
        return self.new(p, g, slots, rate, count)

    # ------------------------------------------------------------------------- pure functions

    def init(self, params: Any) -> State:
        """The state before the first step.

        Args:
            params: a container of arrays, such as a dict; lists and dataclasses may be inside.

        Raises:
            TypeError: for complex numbers, if this optimiser changes real ones.
        """
        leaves = flatten(params)[0]
        for p in leaves:
            self._require_real(p)
        return State(0.0, [tuple(self.start(p)) for p in leaves])

    def _require_real(self, p: Any) -> None:
        if np.iscomplexobj(p) and not self.COMPLEX:
            raise TypeError(f"{type(self).__name__} changes real numbers, not complex ones")
        if np.iscomplexobj(p) and self.clip_value is not None:
            raise TypeError("clip_value is for real numbers: clip_norm keeps complex ones short")

    def update(self, gradients: Any, state: State, params: Any) -> tuple[Any, State]:
        """New parameters and the new state; what was given stays as it is.

        Args:
            gradients: a container like `params`.
            state: of `init`, or of the update before.
            params: a container of arrays.

        Raises:
            ValueError: if the containers differ.

        >>> import chainrule as cr
        >>> rule = cr.optim.SGD(learning_rate=0.1, momentum=0.9)
        >>> params = {"w": np.array([1.0, -2.0])}
        >>> state = rule.init(params)
        >>> for _ in range(2):
        ...     gradients = cr.grad(lambda params: np.sum(params["w"] ** 2))(params)
        ...     params, state = rule.update(gradients, state, params)
        >>> params["w"].round(3)
        array([ 0.46, -0.92])
        """
        arrays, rebuild = flatten(params)
        found = leaves_like(params, gradients, "gradients and params are not of one structure")
        if len(state.slots) != len(arrays):
            raise ValueError(f"the state is of {len(state.slots)} arrays, params has {len(arrays)}")
        rate = self._rate_after(state.count)
        count = state.count + 1.0
        pairs = [
            self._changed(*row, rate, count)
            for row in zip(arrays, self._clipped(found), state.slots, strict=True)
        ]
        return rebuild([p for p, _ in pairs]), State(count, [slots for _, slots in pairs])

    def _clipped(self, gradients: list[Any]) -> list[Any]:
        if self.clip_norm is not None:
            gradients = clip_by_norm(gradients, self.clip_norm)
        return gradients if self.clip_value is None else clip_by_value(gradients, self.clip_value)

    def _rate_after(self, count: Any) -> Any:
        """The rate of the step after `count` steps: the number set by hand, or the schedule's."""
        if self.schedule is None:
            return self._rate.data
        return np.where(np.equal(self._fixed.data, 1.0), self._rate.data, self.schedule(count))

    # ----------------------------------------------------------------------------- the object

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the next step; a number that is set here replaces a schedule."""
        by_hand = self.schedule is None or bool(self._fixed.data)
        return self._rate.data if by_hand else self.schedule(self.steps.data)  # type: ignore[misc]

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._rate.data = _positive_rate(rate)
        self._fixed.data = 1.0

    def zero_grad(self) -> None:
        """Forget the gradients, so that the next backward starts from none."""
        if tracers:
            lift(self.parameters)
        for p in self.parameters:
            p.grad = None

    def step(self) -> None:
        """Change every weight.

        Raises:
            ValueError: if a parameter has no gradient; then no weight is changed.
        """
        if tracers:
            lift([*self.parameters, self.steps, *(leaf for own in self.slots for leaf in own)])
        gradients = [p.grad for p in self.parameters]
        if not gradients or any(g is None for g in gradients):
            self._refuse()
        gradients = self._clipped(gradients)
        count: Any = None
        if self.COUNTS or self.schedule is not None:
            rate = self._rate_after(self.steps._held)
            count = self.steps._held + 1.0
            self.steps.replace_data(count)
        else:
            rate = self._rate.data
        for p, g, own in zip(self.parameters, gradients, self.slots, strict=True):
            data, slots = self._changed(p._held, g, [slot._held for slot in own], rate, count)
            p.replace_data(data)
            for slot, content in zip(own, slots, strict=True):
                slot.replace_data(content)

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the optimiser remembers, as arrays by name."""
        return state_of(self._leaves())

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state that `state()` gave, of an optimiser of this kind.

        Raises:
            ValueError: if a name is missing or unknown, or a shape or dtype does not fit; then
                nothing is changed.
        """
        take_over(self._leaves(), state, "this optimiser")

    def _leaves(self) -> dict[str, Any]:
        """What changes from step to step, by name."""
        kind = "constant" if self.schedule is None else "scheduled"
        found: dict[str, Any] = {
            f"{kind} rate": self._rate,
            "rate by hand": self._fixed,
            "steps": self.steps,
        }
        for i, own in enumerate(self.slots):
            found |= {f"{type(self).__name__}.{i}.{k}": slot for k, slot in enumerate(own)}
        return found

    def _refuse(self) -> None:
        for i, p in enumerate(self.parameters):
            if p.grad is None:
                name = p.label or f"number {i}"
                raise ValueError(
                    f"parameter {name} has no gradient: call backward() on a loss computed from it"
                )
        raise ValueError("no parameters to optimise: this optimiser was made without them")

    def __repr__(self) -> str:
        count = len(self.parameters)
        followed = self.schedule is not None and not self._fixed.data
        rate = self.schedule if followed else f"{self.learning_rate:g}"
        return f"{type(self).__name__}({count} parameters, learning_rate={rate})"


def require(condition: bool, message: str) -> None:
    """Raise ValueError where a number is out of its range."""
    if not condition:
        raise ValueError(message)


def _leaf(zeros: Any) -> Node:
    return Value(zeros) if isinstance(zeros, float) else Tensor(zeros)


def _positive_rate(rate: Any) -> Any:
    if not rate > 0:
        raise ValueError(f"the learning rate must be positive, got {rate}")
    return rate


def _checked(parameters: Any) -> list[Node]:
    if isinstance(parameters, Node):
        raise TypeError("parameters are a list, even of one: [w]")
    if not hasattr(parameters, "__iter__"):
        raise TypeError(
            f"parameters are a list of Values and Tensors, got {type(parameters).__name__}"
            + (": pass its .parameters()" if hasattr(parameters, "parameters") else "")
        )
    found = list(parameters)
    require(bool(found), "no parameters to optimise")
    require(
        len({id(p) for p in found}) == len(found),
        "a parameter is in the list twice: it would be changed twice",
    )
    for p in found:
        if not isinstance(p, Node):
            raise TypeError(f"a parameter is a Value or a Tensor, got {type(p).__name__}")
        if p.op is not None:
            raise TypeError(f"a parameter must be a leaf, this one is computed: {p.describe()}")
    return found
