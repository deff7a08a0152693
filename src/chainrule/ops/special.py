"""SciPy's special functions, for `scipy.special.f(t)`; loaded when one meets a traced array.

SciPy dispatches its ufuncs and nothing else: the functions that it writes in Python (logsumexp,
softmax, polygamma, multigammaln) are here under the same names, to be called as
`chainrule.special.polygamma(n, t)`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from chainrule.ops.base import frozen
from chainrule.ops.exponentials import log_softmax, logsumexp
from chainrule.ops.exponentials import softmax as _softmax
from chainrule.ops.functions import cos, exp, log, log1p
from chainrule.ops.partials import Elementwise, where
from chainrule.ops.reductions import sum
from chainrule.ops.sums import as_array


def _zeta(n: int, x: Any) -> Any:
    """Hurwitz's zeta function, in the dtype of x."""
    return scipy.special.zeta(x.dtype.type(n), x)


_ROOT_PI = math.sqrt(math.pi)


def unknown_in(name: str, argument: str) -> Any:
    """A partial that nobody knows: asking for it is an error, not a zero."""

    def unknown(*_: Any) -> Any:
        raise NotImplementedError(
            f"{name} has no known derivative in {argument}: pass plain numbers"
        )

    return unknown


def _gamma_density(a: Any, x: Any) -> Any:
    """xᵃ⁻¹ e⁻ˣ / Γ(a), with its limits at 0 and infinity."""
    finite = where(x == math.inf, 0.0, x)
    return where(x == math.inf, 0.0, exp(xlogy(a - 1, finite) - finite - gammaln(a)))


# fmt: off
erf = Elementwise(
    scipy.special.erf, lambda _y, x: 2 / _ROOT_PI * exp(-x * x), scalar=math.erf,
    complex=True, doc="Error function.",
)
erfc = Elementwise(
    scipy.special.erfc, lambda _y, x: -2 / _ROOT_PI * exp(-x * x), scalar=math.erfc,
    complex=True, doc="1 - erf(x).",
)
erfinv = Elementwise(
    scipy.special.erfinv, lambda y, _x: _ROOT_PI / 2 * exp(y * y), doc="Inverse of erf.",
)
erfcinv = Elementwise(
    scipy.special.erfcinv, lambda y, _x: -_ROOT_PI / 2 * exp(y * y), doc="Inverse of erfc.",
)
expit = Elementwise(
    scipy.special.expit, lambda y, _x: y * (1 - y), doc="1 / (1 + exp(-x)).",
)
log_expit = Elementwise(
    scipy.special.log_expit, lambda _y, x: expit(-x), doc="log(expit(x)).",
)
logit = Elementwise(
    scipy.special.logit, lambda _y, x: 1 / (x * (1 - x)), doc="log(x / (1 - x)).",
)
gamma = Elementwise(
    scipy.special.gamma, lambda y, x: y * psi(x), doc="Gamma function.",
)
rgamma = Elementwise(
    scipy.special.rgamma,
    lambda y, x: where(
        y == 0, where(x < 1, cos(math.pi * x) * gamma(where(x < 1, 1 - x, 1.0)), 0.0),
        -y * psi(where(y == 0, 1.0, x)),
    ),
    doc="1 / Γ(x), with zeros at 0, -1, -2, …",
)
gammaln: Elementwise = Elementwise(
    scipy.special.gammaln, lambda _y, x: psi(x), scalar=math.lgamma, doc="log |Γ(x)|.",
)
psi: Elementwise = Elementwise(
    scipy.special.psi, lambda _y, x: polygamma_of(x, order=1), complex=False,
    name="psi", doc="Digamma function, the derivative of gammaln.",
)
polygamma_of: Elementwise = Elementwise(
    lambda x, order: (-1.0) ** (order + 1) * math.factorial(order) * _zeta(order + 1, x),
    lambda _y, x, order: polygamma_of(x, order=order + 1),
    name="polygamma", params=("order",), doc="Derivatives of the digamma function.",
)
gammainc = Elementwise(
    scipy.special.gammainc, unknown_in("gammainc", "a"),
    lambda _y, a, x: _gamma_density(a, x),
    doc="Regularised lower incomplete gamma function, differentiable in x.",
)
gammaincc = Elementwise(
    scipy.special.gammaincc, unknown_in("gammaincc", "a"),
    lambda _y, a, x: -_gamma_density(a, x),
    doc="Regularised upper incomplete gamma function, differentiable in x.",
)
betainc = Elementwise(
    scipy.special.betainc, unknown_in("betainc", "a"), unknown_in("betainc", "b"),
    lambda _y, a, b, x: exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b)),
    doc="Regularised incomplete beta function, differentiable in x.",
)
beta = Elementwise(
    scipy.special.beta,
    lambda y, a, b: y * (psi(a) - psi(a + b)), lambda y, a, b: y * (psi(b) - psi(a + b)),
    doc="Γ(a) Γ(b) / Γ(a + b).",
)
betaln: Elementwise = Elementwise(
    scipy.special.betaln,
    lambda _y, a, b: psi(a) - psi(a + b), lambda _y, a, b: psi(b) - psi(a + b),
    doc="log |beta(a, b)|.",
)
xlogy: Elementwise = Elementwise(
    scipy.special.xlogy,
    lambda _y, x, y: log(where(x == 0, where(y == 0, 1.0, y), y)),
    lambda _y, x, y: x / where(x == 0, where(y == 0, 1.0, y), y),
    complex=True, doc="x · log(y), 0 where x is 0; derivative 0 where both are.",
)
xlog1py: Elementwise = Elementwise(
    scipy.special.xlog1py,
    lambda _y, x, y: log1p(where(x == 0, where(y == -1, 0.0, y), y)),
    lambda _y, x, y: x / where(x == 0, where(y == -1, 1.0, 1 + y), 1 + y),
    complex=True, doc="x · log(1 + y), 0 where x is 0; derivative 0 where x = 0 and y = -1.",
)
entr = Elementwise(
    scipy.special.entr, lambda _y, x: -log(x) - 1, doc="-x · log(x), x > 0.",
)
j0 = Elementwise(scipy.special.j0, lambda _y, x: -j1(x), doc="Bessel function J₀.")
j1: Elementwise = Elementwise(
    scipy.special.j1, lambda _y, x: (j0(x) - jv(2.0, x)) / 2, doc="Bessel function J₁.",
)
y0 = Elementwise(scipy.special.y0, lambda _y, x: -y1(x), doc="Bessel function Y₀, x > 0.")
y1: Elementwise = Elementwise(
    scipy.special.y1, lambda _y, x: (y0(x) - yv(2.0, x)) / 2, doc="Bessel function Y₁, x > 0.",
)
i1 = Elementwise(
    scipy.special.i1, lambda _y, x: (iv(0.0, x) + iv(2.0, x)) / 2,
    name="i1", doc="Modified Bessel function I₁.",
)
i0 = Elementwise(
    scipy.special.i0, lambda _y, x: i1(x), name="scipy_i0", doc="Modified Bessel function I₀.",
)


def _bessel(function: Any, sign: int, doc: str) -> Elementwise:
    """A Bessel function of an order that is not differentiated and a real argument."""
    op: Elementwise
    op = Elementwise(
        function,
        unknown_in(function.__name__, "its order"),
        lambda _y, n, x: (op(n - 1, x) + sign * op(n + 1, x)) / 2,
        complex=True,
        doc=doc,
    )
    return op


jv: Elementwise = _bessel(scipy.special.jv, -1, "Bessel function J of an order n, a constant.")
yv: Elementwise = _bessel(scipy.special.yv, -1, "Bessel function Y of an order n, a constant.")
iv: Elementwise = _bessel(scipy.special.iv, 1, "Modified Bessel function I of an order n.")
jn = jv
ive: Elementwise = Elementwise(
    scipy.special.ive, unknown_in("ive", "its order"),
    lambda y, n, x: (ive(n - 1, x) + ive(n + 1, x)) / 2 - np.sign(x) * y,
    doc="iv scaled by exp(-|x|).",
)
# fmt: on


def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function; differentiable in x."""
    x = as_array(x)
    order = frozen(n)
    if not isinstance(order, int):
        raise TypeError(f"polygamma of a traced array takes one whole number n, got {n!r}")
    return psi(x) if order == 0 else polygamma_of(x, order=order)


def multigammaln(a: Any, d: int) -> Any:
    """Logarithm of the multivariate gamma function of dimension d."""
    a = as_array(a)
    shifted = a[..., None] - np.arange(d) / 2
    return sum(gammaln(shifted), axis=-1) + d * (d - 1) / 4 * math.log(math.pi)


def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / Σ exp(x) over axes, by default all."""
    return _softmax(x, axis)


__all__ = ["log_softmax", "logsumexp", "multigammaln", "polygamma", "softmax"]
