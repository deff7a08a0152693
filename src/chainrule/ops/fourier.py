"""Fourier transforms: four linear ops, and NumPy's functions composed of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.arithmetic import conjugate, real
from chainrule.ops.base import beside, is_complex
from chainrule.ops.indexing import getitem, scatter
from chainrule.ops.kinds import Linear
from chainrule.ops.rearranging import roll
from chainrule.ops.registry import answers
from chainrule.ops.shapes import along
from chainrule.ops.sums import as_array, axes_of

# ruff: noqa: ARG001, ARG005 -- the bodies have NumPy's signatures; out= is refused before

#: The same factor in the transform the other way.
_OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _fitted(x: Any, n: int, axis: int) -> Any:
    """Cut, or filled up with zeros, to a length along an axis."""
    if n < 1:
        raise ValueError(f"a transform of {n} points: at least one is needed")
    if x.shape[axis] >= n:
        return x if x.shape[axis] == n else getitem(x, along(axis, slice(n), x.ndim))
    shape = tuple(n if i == axis else length for i, length in enumerate(x.shape))
    return scatter(x, along(axis, slice(x.shape[axis]), x.ndim), shape)


def _rfft_transpose(y_bar: Any, x: Any, axis: int, norm: str | None) -> Any:
    """The real part of the whole transform of the half."""
    return real(dft(_fitted(y_bar, x.shape[axis], axis), axes=(axis,), norm=norm))


def _irfft_transpose(x_bar: Any, y: Any, n: int, axis: int, norm: str | None) -> Any:
    """Frequencies that the real signal holds twice count twice; the parts left out get zero."""
    half = n // 2 + 1
    weights = np.full(half, 2.0, x_bar.dtype)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    shape = tuple(half if i == axis else 1 for i in range(x_bar.ndim))
    y_bar = conjugate(half_dft(x_bar, axis=axis, norm=_OPPOSITE[norm]))
    y_bar = y_bar * beside(weights.reshape(shape), y_bar)
    return _fitted(y_bar, y.shape[axis], axis)


# fmt: off
dft: Linear = Linear(
    lambda x, axes, norm: np.fft.fftn(x, axes=axes, norm=norm),
    lambda y_bar, x, axes, norm: dft(y_bar, axes=axes, norm=norm),
    name="dft", params=("axes", "norm"), doc="Discrete Fourier transform over axes.",
)
inverse_dft: Linear = Linear(
    lambda x, axes, norm: np.fft.ifftn(x, axes=axes, norm=norm),
    lambda y_bar, x, axes, norm: inverse_dft(y_bar, axes=axes, norm=norm),
    name="inverse_dft", params=("axes", "norm"),
    doc="Inverse discrete Fourier transform over axes.",
)
half_dft: Linear = Linear(
    lambda x, axis, norm: np.fft.rfft(x, axis=axis, norm=norm), _rfft_transpose,
    name="half_dft", params=("axis", "norm"),
    doc="Transform of real numbers along an axis: the half that says all (np.fft.rfft).",
)
inverse_half_dft: Linear = Linear(
    lambda y, n, axis, norm: np.fft.irfft(y, n, axis, norm=norm), _irfft_transpose,
    name="inverse_half_dft", params=("n", "axis", "norm"),
    doc="The n real numbers with a half transform (np.fft.irfft).",
)
# fmt: on


def _along_one_axis(op: Linear, a: Any, n: int | None, axis: int, norm: str | None) -> Any:
    a = as_array(a)
    (axis,) = axes_of(axis, a.ndim)
    return op(_fitted(a, a.shape[axis] if n is None else n, axis), axes=(axis,), norm=norm)


@answers(np.fft.fft)
def fft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Any:
    """Fourier transform along an axis."""
    return _along_one_axis(dft, a, n, axis, norm)


@answers(np.fft.ifft)
def ifft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Any:
    """Inverse Fourier transform along an axis."""
    return _along_one_axis(inverse_dft, a, n, axis, norm)


@answers(np.fft.rfft)
def rfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Any:
    """Fourier transform of real numbers along an axis."""
    a = as_array(a)
    if is_complex(a):
        raise TypeError("rfft takes real numbers: use np.fft.fft")
    (axis,) = axes_of(axis, a.ndim)
    return half_dft(_fitted(a, a.shape[axis] if n is None else n, axis), axis=axis, norm=norm)


@answers(np.fft.irfft)
def irfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Any:
    """The real numbers with a given half transform."""
    a = as_array(a)
    (axis,) = axes_of(axis, a.ndim)
    n = 2 * (a.shape[axis] - 1) if n is None else n
    return inverse_half_dft(_fitted(a, n // 2 + 1, axis), n=n, axis=axis, norm=norm)


@answers(np.fft.hfft)
def hfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Any:
    """The real transform of a signal with Hermitian symmetry."""
    return irfft(conjugate(as_array(a)), n, axis, _OPPOSITE[norm])


@answers(np.fft.ihfft)
def ihfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Any:
    """The signal with Hermitian symmetry whose transform is real."""
    return conjugate(rfft(a, n, axis, _OPPOSITE[norm]))


def _lengths(a: Any, s: Any, axes: Any) -> list[tuple[int, int]]:
    """Pairs of an axis and its length."""
    if axes is None:
        axes = range(a.ndim) if s is None else range(a.ndim - len(s), a.ndim)
    axes = [axes_of(i, a.ndim)[0] for i in axes]
    lengths = [a.shape[i] for i in axes] if s is None else list(s)
    if len(lengths) != len(axes):
        raise ValueError(f"{len(lengths)} lengths for {len(axes)} axes")
    lengths = [a.shape[i] if n in {-1, None} else n for i, n in zip(axes, lengths, strict=True)]
    return list(zip(axes, lengths, strict=True))


def _over_axes(op: Linear, a: Any, s: Any, axes: Any, norm: str | None) -> Any:
    a = as_array(a)
    pairs = _lengths(a, s, axes)
    for axis, n in pairs:
        a = _fitted(a, n, axis)
    return op(a, axes=tuple(axis for axis, _ in pairs), norm=norm)


@answers(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Fourier transform over axes, by default all."""
    return _over_axes(dft, a, s, axes, norm)


@answers(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Inverse Fourier transform over axes, by default all."""
    return _over_axes(inverse_dft, a, s, axes, norm)


@answers(np.fft.fft2)
def fft2(
    a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None
) -> Any:
    """Fourier transform over two axes."""
    return fftn(a, s, axes, norm)


@answers(np.fft.ifft2)
def ifft2(
    a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None
) -> Any:
    """Inverse Fourier transform over two axes."""
    return ifftn(a, s, axes, norm)


@answers(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Fourier transform of real numbers over axes; the last holds the half."""
    a = as_array(a)
    *others, (last, n) = _lengths(a, s, axes)
    y = rfft(a, n, last, norm)
    return fftn(y, [m for _, m in others], [i for i, _ in others], norm) if others else y


@answers(np.fft.irfftn)
def irfftn(
    a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None
) -> Any:
    """The real numbers with a given half transform over axes."""
    a = as_array(a)
    *others, (last, n) = _lengths(a, s, axes)
    if s is None:
        n = 2 * (a.shape[last] - 1)
    y = ifftn(a, [m for _, m in others], [i for i, _ in others], norm) if others else a
    return irfft(y, n, last, norm)


@answers(np.fft.rfft2)
def rfft2(
    a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None
) -> Any:
    """Fourier transform of real numbers over two axes."""
    return rfftn(a, s, axes, norm)


@answers(np.fft.irfft2)
def irfft2(
    a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None
) -> Any:
    """The real numbers with a given half transform over two axes."""
    return irfftn(a, s, axes, norm)


def _shifted(x: Any, axes: Any, sign: int) -> Any:
    x = as_array(x)
    axes = axes_of(axes, x.ndim)
    return roll(x, [sign * (x.shape[i] // 2) for i in axes], axes)


@answers(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """The zero frequency moved to the middle."""
    return _shifted(x, axes, 1)


@answers(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """The zero frequency moved back to the front."""
    return _shifted(x, axes, -1)
