"""The kinds of op whose rule says everything about one input at once: linear, multilinear, general.

The elementwise and reduction kinds build on a few linear ops and live in their own files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.errors import RuleError
from chainrule.ops.base import Op, total, zeros_like

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.traced import Inputs, Params


class Linear(Op):
    """An op linear in its inputs: the rule is the transpose, forward mode is the op itself.

    `transpose(y_bar, *inputs, **params)` may ask the inputs for shape and dtype, never for data.
    It returns the cotangent of the input, or for a `sequence` op the list of all of them.

    `stacked(x, **params)` is the op on a stack of inputs along a first axis, where there is a
    better way than one after the other; True where it is the op itself.
    """

    linear = True
    COMPLEX = True

    def __init__(
        self,
        forward: Callable[..., Any],
        transpose: Any,
        *,
        stacked: Callable[..., Any] | bool = False,
        **declaration: Any,
    ) -> None:
        super().__init__(forward, (transpose,), **declaration)
        self.stacked: Any = self.__call__ if stacked is True else stacked
        self.needs, self.reads_data, self.needs_output = (False,), False, False

    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> list[Any]:
        cotangents = self.rules[0](y_bar, *inputs, **params)
        return [cotangents[i] for i in wanted] if self.sequence else [cotangents]

    def jvp(self, tangents: Inputs, y: Any, inputs: Inputs, params: Params) -> Any:
        moved = [zeros_like(x) if t is None else t for t, x in zip(tangents, inputs, strict=True)]
        return self.apply(tuple(moved), params)

    def batch(self, size: int, inputs: Inputs, mine: Sequence[bool], params: Params) -> Any:
        if not self.stacked or self.sequence:
            return super().batch(size, inputs, mine, params)
        return self.stacked(*inputs, **params)


class Multilinear(Op):
    """An op linear in each input while the others stay: a product such as matmul.

    `rules[i](y_bar, *inputs, **params)` is the cotangent of input i. Forward mode is the product
    rule: the sum of the op with one input at a time replaced by its tangent.
    """

    COMPLEX = True

    def __init__(self, forward: Callable[..., Any], rules: Any, **declaration: Any) -> None:
        super().__init__(forward, rules, **declaration)
        self.needs_output = False  # such a rule takes y_bar where others take y

    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> list[Any]:
        return [self.rules[i](y_bar, *inputs, **params) for i in wanted]

    def jvp(self, tangents: Inputs, y: Any, inputs: Inputs, params: Params) -> Any:
        return total(
            [
                self.apply((*inputs[:i], t, *inputs[i + 1 :]), params)
                for i, t in enumerate(tangents)
                if t is not None
            ]
        )


class General(Op):
    """An op with a vjp and a jvp of its own.

    `vjp(y_bar, y, *inputs, **params)` returns the cotangents of all inputs: one for a single
    input, else a tuple with None where the op is constant. `jvp(tangents, y, *inputs, **params)`
    returns the tangent of the output.
    """

    INPUTS_AT = 2

    def __init__(
        self,
        forward: Callable[..., Any],
        vjp: Callable[..., Any],
        jvp: Callable[..., Any] | None = None,
        *,
        inputs: int = 1,
        **declaration: Any,
    ) -> None:
        super().__init__(forward, (vjp,) * inputs, **declaration)
        self.forward_mode = jvp

    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> list[Any]:
        cotangents = self.rules[0](y_bar, y, *inputs, **params)
        if len(inputs) == 1:
            return [cotangents]
        if not isinstance(cotangents, tuple) or len(cotangents) != len(inputs):
            raise RuleError(
                f"the vjp of {self.name} must return a tuple of {len(inputs)} cotangents,"
                f" got {type(cotangents).__name__}"
            )
        return [cotangents[i] for i in wanted]

    def jvp(self, tangents: Inputs, y: Any, inputs: Inputs, params: Params) -> Any:
        if self.forward_mode is None:
            raise NotImplementedError(f"{self.name} was declared without a jvp: pass jvp=...")
        return self.forward_mode(tangents, y, *inputs, **params)


def op(
    forward: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    **declaration: Any,
) -> Any:
    """Declare an op by its forward and its vjp, and for forward mode its jvp.

    Without `forward` it is a decorator: `@cr.op(vjp=...)` above a function gives that function a
    derivative of its own.

    Args:
        forward: `forward(*inputs, **params)` on arrays.
        vjp: `vjp(y_bar, y, *inputs, **params)` returns the cotangent of the input, or a tuple
            of cotangents for several inputs. Write it with operators and the library's ops, then
            it can be differentiated again. Name an argument it does not read with an underscore.
        jvp: `jvp(tangents, y, *inputs, **params)`; a tangent is None where an input does not move.
        declaration: `inputs` (their number), `name`, `params` (names of static arguments),
            `scalar`, `complex` (True where the rule holds for complex numbers), `notation`, `doc`.

    Raises:
        TypeError: without a vjp.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> def cube_vjp(y_bar, _y, x):
    ...     return y_bar * 3 * x**2
    >>> def cube_jvp(tangents, _y, x):
    ...     return tangents[0] * 3 * x**2
    >>> cube = cr.op(lambda x: x**3, cube_vjp, cube_jvp, name="cube")
    >>> cube.check(np.array([1.0, 2.0]))
    """
    if vjp is None:
        raise TypeError("an op needs its vjp: cr.op(forward, vjp) or @cr.op(vjp=...)")
    if forward is not None:
        return General(forward, vjp, jvp, **declaration)

    def declare(function: Callable[..., Any]) -> General:
        return General(function, vjp, jvp, **{"doc": function.__doc__ or "", **declaration})

    return declare
