"""The optimisers: how each changes one array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.optim.clipping import in_precision
from chainrule.optim.optimizer import Optimizer, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chainrule.engine import Node

    Parameters = Iterable[Node] | None
    Rate = float | Callable[[Any], Any]


class SGD(Optimizer):
    """w ← w - η·g; with momentum μ: m ← μ·m + g, w ← w - η·m, or w ← w - η·(g + μ·m) (Nesterov).

    g is ∂E/∂w, every gradient from the same backward; of complex numbers its conjugate, which is
    the direction of ascent.

    Args:
        parameters: leaves, or None, as in `Optimizer`.
        learning_rate: η, a positive number or a schedule.
        momentum: μ, at least 0 and below 1 (Sutskever et al., 2013, with η outside of m).
        nesterov: take the step from where the momentum leads.
        options: `weight_decay`, `clip_norm` and `clip_value` as in `Optimizer`.

    Raises:
        ValueError: for numbers out of range, or `nesterov` without momentum.

    >>> import chainrule as cr
    >>> w = cr.Tensor([1.0, -2.0])
    >>> optimizer = cr.optim.SGD([w], 0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w.data.round(3)
    array([ 0.46, -0.92])
    """

    COMPLEX = True

    def __init__(
        self,
        parameters: Parameters = None,
        learning_rate: Rate = 1e-2,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        require(0 <= momentum < 1, f"momentum={momentum}: at least 0 and below 1")
        require(momentum > 0 or not nesterov, "nesterov=True needs a momentum above 0")
        self.momentum, self.nesterov = momentum, nesterov
        super().__init__(parameters, learning_rate, **options)

    def start(self, p: Any) -> list[Any]:
        return [np.zeros_like(p) if hasattr(p, "dtype") else 0.0] if self.momentum else []

    def new(self, p: Any, g: Any, slots: Any, rate: Any, count: Any) -> tuple[Any, tuple[Any, ...]]:  # noqa: ARG002
        g = g.conjugate()
        if not self.momentum:
            return p - rate * g, ()
        m = self.momentum * slots[0] + g
        return p - rate * (g + self.momentum * m if self.nesterov else m), (m,)


class GradientDescent(SGD):
    """w ← w - learning_rate · ∂E/∂w, every weight from the gradients of the same backward.

    Arguments and errors are those of `Optimizer`.
    """

    def __init__(
        self, parameters: Parameters = None, learning_rate: Rate = 1e-2, **options: Any
    ) -> None:
        super().__init__(parameters, learning_rate, **options)


class RMSProp(Optimizer):
    """v ← α·v + (1 - α)·g², w ← w - η·g / (√v + ε) (Hinton's lecture 6e, 2012).

    Args:
        parameters: leaves, or None, as in `Optimizer`.
        learning_rate: η, a positive number or a schedule.
        alpha: α, at least 0 and below 1.
        eps: ε, positive.
        momentum: μ, at least 0 and below 1: m ← μ·m + g / (√v + ε), w ← w - η·m.
        centered: take √(v - a²) with the mean a ← α·a + (1 - α)·g (Graves, 2013).
        options: `weight_decay`, `clip_norm` and `clip_value` as in `Optimizer`.
    """

    SLOTS = ("square", "momentum", "mean")

    def __init__(
        self,
        parameters: Parameters = None,
        learning_rate: Rate = 1e-2,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        **options: Any,
    ) -> None:
        require(0 <= alpha < 1, f"alpha={alpha}: at least 0 and below 1")
        require(0 <= momentum < 1, f"momentum={momentum}: at least 0 and below 1")
        require(eps > 0, f"eps={eps}: above 0")
        self.alpha, self.eps, self.momentum, self.centered = alpha, eps, momentum, centered
        super().__init__(parameters, learning_rate, **options)

    def new(self, p: Any, g: Any, slots: Any, rate: Any, count: Any) -> tuple[Any, tuple[Any, ...]]:  # noqa: ARG002
        v, m, a = slots
        v = self.alpha * v + (1 - self.alpha) * (g * g)
        if self.centered:
            a = self.alpha * a + (1 - self.alpha) * g
        step = g / (np.sqrt(v - a * a if self.centered else v) + self.eps)
        if self.momentum:
            m = step = self.momentum * m + step
        return p - rate * step, (v, m, a)


class Adagrad(Optimizer):
    """v ← v + g², w ← w - η / (1 + (t - 1)·decay)·g / (√v + ε) in step t (Duchi et al., 2011).

    Args:
        parameters: leaves, or None, as in `Optimizer`.
        learning_rate: η, a positive number or a schedule.
        decay: at least 0; it makes the learning rate smaller with time.
        initial: v before the first step, at least 0.
        eps: ε, positive.
        options: `weight_decay`, `clip_norm` and `clip_value` as in `Optimizer`.
    """

    SLOTS = ("square",)
    COUNTS = True

    def __init__(
        self,
        parameters: Parameters = None,
        learning_rate: Rate = 1e-2,
        *,
        decay: float = 0.0,
        initial: float = 0.0,
        eps: float = 1e-10,
        **options: Any,
    ) -> None:
        for name, number in (("decay", decay), ("initial", initial)):
            require(number >= 0, f"{name}={number}: at least 0")
        require(eps > 0, f"eps={eps}: above 0")
        self.decay, self.initial, self.eps = decay, float(initial), eps
        super().__init__(parameters, learning_rate, **options)

    def start(self, p: Any) -> list[Any]:
        return [zeros + self.initial for zeros in super().start(p)]

    def new(self, p: Any, g: Any, slots: Any, rate: Any, count: Any) -> tuple[Any, tuple[Any, ...]]:
        v = slots[0] + g * g
        rate = rate / in_precision(1 + (count - 1) * self.decay, p)
        return p - rate * (g / (np.sqrt(v) + self.eps)), (v,)


class Adam(Optimizer):
    """Steps as long as the gradient is steady, in each entry: Adam (Kingma and Ba, 2015).

    m ← β₁·m + (1 - β₁)·g, v ← β₂·v + (1 - β₂)·g², w ← w - η·m̂ / (√v̂ + ε), where m̂ = m / (1 - β₁ᵗ)
    and v̂ = v / (1 - β₂ᵗ) in step t.

    Args:
        parameters: leaves, or None, as in `Optimizer`.
        learning_rate: η, a positive number or a schedule.
        betas: β₁ and β₂, at least 0 and below 1.
        eps: ε, positive.
        options: `weight_decay`, `clip_norm` and `clip_value` as in `Optimizer`.

    >>> import chainrule as cr
    >>> w = cr.Tensor([1.0, -20.0])
    >>> optimizer = cr.optim.Adam([w], 0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(6)
    array([  0.9, -19.9])
    """

    SLOTS = ("mean", "square")
    COUNTS = True

    def __init__(
        self,
        parameters: Parameters = None,
        learning_rate: Rate = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        **options: Any,
    ) -> None:
        self.betas, self.eps = _checked_betas(betas), eps
        require(eps > 0, f"eps={eps}: above 0")
        super().__init__(parameters, learning_rate, **options)

    def new(self, p: Any, g: Any, slots: Any, rate: Any, count: Any) -> tuple[Any, tuple[Any, ...]]:
        beta1, beta2 = self.betas
        root = np.sqrt(1 - beta2**count)  # of v̂; it goes into the rate and into ε instead
        rate = in_precision(rate * root / (1 - beta1**count), p)
        m, v, squared = slots[0] * beta1, slots[1] * beta2, g * g
        m += g * (1 - beta1)  # in arrays of its own: large ones cost more than the arithmetic
        squared *= 1 - beta2
        v += squared
        step, size = m * rate, np.sqrt(v)
        size += in_precision(self.eps * root, p)
        step /= size
        return np.subtract(p, step), (m, v)


class AdamW(Adam):
    """`Adam` with decoupled weight decay: w ← (1 - η·λ)·w first (Loshchilov and Hutter, 2019).

    Args:
        parameters, learning_rate, betas, eps: as in `Adam`.
        weight_decay: λ.
        options: `clip_norm` and `clip_value` as in `Optimizer`.
    """

    DECOUPLED: ClassVar[bool] = True

    def __init__(
        self,
        parameters: Parameters = None,
        learning_rate: Rate = 1e-3,
        *,
        weight_decay: float = 1e-2,
        **options: Any,
    ) -> None:
        super().__init__(parameters, learning_rate, weight_decay=weight_decay, **options)


class Lion(Optimizer):
    """w ← (1 - η·λ)·w - η·sign(β₁·m + (1 - β₁)·g), m ← β₂·m + (1 - β₂)·g (Chen et al., 2023).

    Every entry moves by η, so η is smaller than Adam's: a third to a tenth. Weight decay is
    decoupled.

    Args:
        parameters: leaves, or None, as in `Optimizer`.
        learning_rate: η, a positive number or a schedule.
        betas: β₁ and β₂, at least 0 and below 1.
        options: `weight_decay` λ, `clip_norm` and `clip_value` as in `Optimizer`.
    """

    SLOTS = ("mean",)
    DECOUPLED: ClassVar[bool] = True

    def __init__(
        self,
        parameters: Parameters = None,
        learning_rate: Rate = 1e-4,
        *,
        betas: tuple[float, float] = (0.9, 0.99),
        **options: Any,
    ) -> None:
        self.betas = _checked_betas(betas)
        super().__init__(parameters, learning_rate, **options)

    def new(self, p: Any, g: Any, slots: Any, rate: Any, count: Any) -> tuple[Any, tuple[Any, ...]]:  # noqa: ARG002
        (beta1, beta2), m = self.betas, slots[0]
        step = np.sign(beta1 * m + (1 - beta1) * g)
        return p - rate * step, (beta2 * m + (1 - beta2) * g,)


def _checked_betas(betas: tuple[float, float]) -> tuple[float, float]:
    require(
        len(betas) == 2 and all(0 <= beta < 1 for beta in betas),
        f"betas are two numbers, at least 0 and below 1, got {betas}",
    )
    return betas
