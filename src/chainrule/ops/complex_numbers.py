"""Functions of complex numbers, composed of their real and imaginary parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.ops.arithmetic import imag, real, sign, unit
from chainrule.ops.base import is_complex
from chainrule.ops.registry import answers
from chainrule.ops.trigonometry import arctan2
from chainrule.traced import plain


@answers(np.sign)
def sign_(x: Any) -> Any:
    """-1, 0 or 1; of a complex number x / |x|. The derivative at 0 is taken as 0."""
    return unit(x) if is_complex(x) else sign(x)


@answers(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """The angle of a complex number; derivative 0 at the origin."""
    radians = arctan2(imag(z), real(z))
    return radians * (180 / math.pi) if deg else radians


@answers(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """The real part where the imaginary parts are all close to zero."""
    close = np.isrealobj(np.real_if_close(plain(a), tol))
    return real(a) if close else a
