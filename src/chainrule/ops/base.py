"""What an op is, before its kind: a name, a forward, a way to bind arguments, a reader to go to."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.ops.checking import check_op
from chainrule.traced import NO_PARAMS, Traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.ops.misconceptions import Misconception
    from chainrule.ops.notation import Notation
    from chainrule.traced import Inputs, Params

PYTHON_SCALARS = frozenset({float, int, bool})
#: Classes of static arguments that nobody can change.
HARMLESS = frozenset({int, bool, float, str, slice, type(None), type(...), type})


class Op:
    """An operation declared once: its forward and, in a subclass for each kind, its rule.

    A declaration holds everything that any reader needs. Called with plain floats or arrays an op
    computes; called with `Value`, `Tensor`, `Dual` or `Symbol` it hands itself to their reader.

    Args:
        forward: the computation on arrays, `forward(*inputs, **params)`.
        rules: for each input its rule, or None where the op is constant in that input.
        name: how the op is called everywhere; by default the name of `forward`.
        params: names of static arguments (an axis, a shape), in positional order.
        numpy: the NumPy function this op answers for when it meets a Tensor.
        scalar: the computation on Python floats, where it exists.
        notation: how it is written in a formula; by default as a function call. A function
            `notation(inputs, params)` decides by shapes and static arguments.
        sequence: the inputs come as one list, as in `concatenate`.
        complex: whether the rule holds for complex numbers; see the convention in docs/ops.md.
        views: the result may be a view of the input in NumPy: "write" if NumPy lets one write
            through it, else "read".
        hermitian: the input is a Hermitian matrix, of which NumPy reads one triangle; so is its
            cotangent.
        misconceptions: wrong rules that learners write, for diagnosis.
        doc: one line of meaning, with the kink convention where there is a kink.
    """

    #: Whether forward mode is the op itself, and its rule reads no data.
    linear: ClassVar[bool] = False
    #: Whether a rule is a local partial for each input.
    gives_partials: ClassVar[bool] = False
    #: Whether the op is known by its numbers only, so that no formula can be read back with it.
    opaque: ClassVar[bool] = False
    #: The position of the first input among the arguments of a rule; the output comes before.
    INPUTS_AT: ClassVar[int] = 1
    #: Whether a rule of this kind holds for complex numbers where a declaration is silent.
    COMPLEX: ClassVar[bool] = False

    def __init__(
        self,
        forward: Callable[..., Any],
        rules: Sequence[Any],
        *,
        name: str = "",
        params: tuple[str, ...] = (),
        numpy: Callable[..., Any] | None = None,
        scalar: Callable[..., Any] | None = None,
        notation: Notation | Callable[..., Notation | None] | None = None,
        sequence: bool = False,
        complex: bool | None = None,  # noqa: A002
        views: str = "",
        hermitian: bool = False,
        misconceptions: Sequence[Misconception] = (),
        doc: str = "",
    ) -> None:
        self.name = self.__name__ = name or forward.__name__
        if not self.name.isidentifier():
            raise ValueError(f"an op needs a name: pass name=... (got {self.name!r})")
        self.forward = forward
        self.rules = tuple(self._named(rule, i, len(rules)) for i, rule in enumerate(rules))
        self.params = params
        self.numpy = numpy or (forward if _is_numpy(forward) else None)
        self.scalar = scalar
        self.notation = notation
        self.sequence = sequence
        self.hermitian = hermitian
        self.misconceptions = list(misconceptions)
        self.views = views
        self.complex = self.COMPLEX if complex is None else complex
        self.__doc__ = doc
        #: For each input, whether its own rule reads the output.
        self.reads_output = tuple(_reads(rule, self.INPUTS_AT - 1) for rule in self.rules)
        self.needs_output = any(self.reads_output)
        #: For each input, whether any rule reads its data: such data must not change meanwhile.
        self.needs = tuple(
            any(_reads(rule, self.INPUTS_AT + i) for rule in self.rules) for i in range(len(rules))
        )
        self.reads_data = any(self.needs)
        self._guarded = tuple(i for i, needed in enumerate(self.needs) if needed)
        #: The number of inputs; a sequence has no fixed one.
        self.arity = -1 if sequence else len(rules)
        self.differentiable = any(rule is not None for rule in self.rules)
        self.real_only = self.differentiable and not self.complex
        #: Whether a float and its partials are all there is to a Value made by it.
        self.on_floats = scalar is not None and self.gives_partials and self.differentiable
        #: Whether it is one of this package's: then its forward and rules do nothing but compute.
        self.known = False
        #: Forms of inputs -> what the op gives on them, see `records`.
        self.records: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def _named(self, rule: Any, position: int, count: int) -> Any:
        """Give a lambda a name, so that a traceback shows `tanh_rule` and not `<lambda>`."""
        if callable(rule) and not isinstance(rule, FunctionType):
            called = rule
            rule = lambda *args, **params: called(*args, **params)  # noqa: PLW0108 -- gets a name
        if getattr(rule, "__name__", "") == "<lambda>":
            suffix = f"_{position}" if count > 1 else ""
            rule.__name__ = rule.__qualname__ = f"{self.name}_rule{suffix}"
            rule.__code__ = rule.__code__.replace(co_name=rule.__name__, co_qualname=rule.__name__)
        return rule

    def mistaken(self, misconception: Misconception) -> Op:
        """A twin of this op with a wrong rule in place of the true one."""
        twin = copy.copy(self)
        rules = list(self.rules)
        rules[misconception.wrt] = misconception.rule
        twin.rules = tuple(rules)
        twin.known, twin.records = False, {}
        return twin

    def needs_input(self, position: int) -> bool:
        """Whether the rule reads the data of an input."""
        return self.needs[0 if self.sequence else position]

    def guarded(self, count: int) -> tuple[int, ...]:
        """The positions among so many inputs whose data the rule reads."""
        if not self.reads_data:
            return ()
        return tuple(range(count)) if self.sequence else self._guarded

    def bind(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Split call arguments into inputs and static params."""
        if self.sequence:
            if not args or isinstance(args[0], Traced | np.ndarray | str | float | int):
                raise TypeError(f"{self.name} takes a list or tuple of inputs, got {args[:1]!r}")
            inputs, rest = tuple(args[0]), args[1:]
            if not inputs:
                raise ValueError(f"{self.name} needs at least one input")
        else:
            count = len(self.rules)
            inputs, rest = args[:count], args[count:]
            if len(inputs) < count:
                raise TypeError(f"{self.name} takes {count} input(s), got {len(inputs)}")
        if len(rest) > len(self.params):
            takes = len(inputs) + len(self.params)
            raise TypeError(f"{self.name} takes at most {takes} arguments, got {len(args)}")
        params = dict(zip(self.params, rest, strict=False))
        for key, value in kwargs.items():
            if key not in self.params:
                allowed = ", ".join(self.params) or "none"
                raise TypeError(f"{self.name} does not take {key}= (it takes: {allowed})")
            if key in params:
                raise TypeError(f"{self.name} got {key} twice")
            params[key] = value
        return inputs, {key: frozen(value) for key, value in params.items()}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == self.arity and not kwargs:
            first = args[0]
            if len(args) == 1 and isinstance(first, Traced):
                return first.apply_unary(self)
            if len(args) == 2 and isinstance(first, Traced):
                return first.apply_binary(self, *args)
            return self.apply(args, NO_PARAMS)
        inputs, params = self.bind(args, kwargs)
        return self.apply(inputs, params)

    def apply(self, inputs: tuple[Any, ...], params: Params) -> Any:
        """Give inputs to the reader of the highest level among them; plain data is computed."""
        reader: Traced | None = None
        lists = False
        for x in inputs:
            if isinstance(x, Traced):
                if reader is None or x.level > reader.level:
                    reader = x
            elif x.__class__ is list or x.__class__ is tuple:
                lists = True
        if reader is None:
            return self.evaluate(inputs, params)
        if lists:  # a rule computes with its inputs: they must be arrays
            inputs = tuple(np.asarray(x) if isinstance(x, list | tuple) else x for x in inputs)
        return reader.apply(self, inputs, params)

    def evaluate(self, inputs: Inputs, params: Params) -> Any:
        """Compute on plain data: floats by `scalar`, anything else by `forward`."""
        if self.scalar is not None:
            for x in inputs:
                if x.__class__ not in PYTHON_SCALARS:
                    break
            else:
                return self.scalar(*inputs, **params)
            array = x.__class__ is np.ndarray
            if not array and all(_kind(x) in PYTHON_SCALARS for x in inputs):
                return self.on_numbers(inputs, params)
        return self.compute(inputs, params)

    def on_numbers(self, numbers: Inputs, params: Params, since: float = math.inf) -> Any:
        """The result on Python's numbers, some of which are traced for compilation."""
        if getattr(self.scalar, "__module__", "") in {"_operator", "builtins"}:
            return self.scalar(*numbers)  # type: ignore[misc]
        result = self.compute(numbers, params)
        return result.as_float(since) if self.differentiable else result

    def compute(self, arrays: Inputs, params: Params) -> Any:
        """The forward on arrays."""
        if self.sequence:
            return self.forward(arrays, **params)
        return self.forward(*arrays, **params) if params else self.forward(*arrays)

    def require_real(self, inputs: Inputs) -> None:
        """Refuse complex inputs where the rule holds for real ones only."""
        for x in inputs:
            if is_complex(x):
                raise TypeError(
                    f"{self.name} has no derivative for complex numbers: take np.real, np.imag or"
                    f" np.abs first (an op of your own: declare it with complex=True)"
                )

    def written_as(self, inputs: Inputs, params: Params) -> Notation | None:
        """How the op on these inputs is written in a formula; None for a function call."""
        if callable(self.notation):
            return self.notation(inputs, params)
        return self.notation

    def result_like(self, arrays: Inputs, params: Params) -> tuple[tuple[int, ...], Any]:
        """The shape and dtype of the result, found by computing it once."""
        y = np.asarray(self.compute(arrays, params))
        return y.shape, y.dtype

    def check(self, *inputs: Any, **params: Any) -> None:
        """Check this declaration at sample inputs (float arrays, away from kinks).

        Without inputs an elementwise op is checked at numbers of both signs, or of those that its
        forward is defined for.

        Raises:
            OpCheckError: naming the op and the contradiction, see `chainrule.ops.checking`.
            TypeError: without floating-point inputs to check at.
        """
        if inputs:
            given = (tuple(inputs[0]),) if self.sequence else inputs
            check_op(self, *self.bind(given, params))
            return
        for sample in self.default_samples():
            check_op(self, sample, params)

    def default_samples(self) -> list[tuple[Any, ...]]:
        """Inputs to check at where none are given."""
        raise TypeError(f"{self.name}.check() needs sample inputs: {self.name}.check(array, …)")

    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> list[Any]:
        """The cotangents of the wanted inputs, given the cotangent of the output.

        Fed with arrays it computes, fed with nodes it records, fed with symbols it writes.
        """
        raise NotImplementedError

    def jvp(self, tangents: Inputs, y: Any, inputs: Inputs, params: Params) -> Any:
        """The tangent of the output; `tangents` holds None where an input does not move."""
        raise NotImplementedError

    def batch(self, size: int, inputs: Inputs, mine: Sequence[bool], params: Params) -> Any:
        """The op on many inputs at once: those marked `mine` are stacked along a first axis.

        Kinds and declarations with a better way than one after the other override it.
        """
        pairs = list(zip(inputs, mine, strict=True))
        one_by_one = [tuple(x[i] if own else x for x, own in pairs) for i in range(size)]
        return np.stack([self.apply(one, params) for one in one_by_one])


def _is_numpy(function: Any) -> bool:
    module = getattr(function, "__module__", None) or ""
    return isinstance(function, np.ufunc) or module.split(".")[0] == "numpy"


def _reads(rule: Any, position: int) -> bool:
    """Whether a rule reads an argument: one that it ignores is named with an underscore."""
    if not callable(rule):
        return False
    code = getattr(rule, "__code__", None)
    if code is None or position >= code.co_argcount:
        return True
    return not code.co_varnames[position].startswith("_")


def frozen(value: Any) -> Any:
    """A copy of a static argument that its owner can't change afterwards."""
    if value.__class__ in HARMLESS:
        return value
    if isinstance(value, Traced):
        raise TypeError(
            f"a static argument was given as a {type(value).__name__}, which would leave the graph:"
            f" no derivative exists in it, use .data"
        )
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list):
        return [frozen(item) for item in value]
    if isinstance(value, tuple):
        return tuple(frozen(item) for item in value)
    if isinstance(value, Sequence):  # another buffer, such as array.array
        return np.array(value)
    return value


def constant(forward: Callable[..., Any], inputs: int, **declaration: Any) -> Op:
    """Declare an op whose result is not a number to differentiate, such as a comparison.

    On nodes it returns plain data.
    """
    return Op(forward, (None,) * inputs, **declaration)


def _kind(x: Any) -> Any:
    """The class of a number, also where it is traced for compilation."""
    return getattr(x, "stands_for", x.__class__)


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an input of a rule; a Python scalar has the shape ()."""
    return x.shape if hasattr(x, "shape") else ()


def zeros_like(x: Any) -> Any:
    """A constant zero of the shape and dtype of an input."""
    if float in {getattr(x, "plain_class", None), getattr(x, "stands_for", None)}:
        return 0.0  # of a Value, or of a float that is traced
    return beside(np.zeros(x.shape, x.dtype), x) if hasattr(x, "shape") else 0.0


def beside(constant: np.ndarray, x: Any) -> Any:
    """A constant array as one of the library that x is of, which may not mix with NumPy's."""
    while isinstance(x, Traced) and x.concrete:
        x = x.inside()
    return np.asarray(constant, like=x) if is_of_another_library(x) else constant


def is_of_another_library(x: Any) -> bool:
    """Whether x is an array that speaks NumPy's protocols, and neither NumPy's nor traced."""
    if isinstance(x, np.ndarray | np.generic | float | int | complex | Traced):
        return False
    return hasattr(x, "__array_function__") and not hasattr(x, "as_one_call")


def has_numbers(x: Any) -> bool:
    """Whether numbers can be looked at: those of an array, or of a placeholder for one.

    What a rule decides by a placeholder becomes a condition of the compiled code.
    """
    return isinstance(x, np.ndarray) or hasattr(x, "as_one_call")


def is_complex(x: Any) -> bool:
    """Whether x holds complex numbers."""
    return x.__class__ is complex or getattr(getattr(x, "dtype", None), "kind", "") == "c"


def real_dtype(dtype: Any) -> np.dtype[Any]:
    """The dtype of the real part: float32 for complex64, any other than complex as it is."""
    return np.zeros(0, dtype).real.dtype


def total(terms: Sequence[Any]) -> Any:
    """The sum of the terms that are not None; None where there is none."""
    result = None
    for term in terms:
        if term is not None:
            result = term if result is None else result + term
    return result
