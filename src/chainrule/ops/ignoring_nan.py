"""NumPy's reductions that pass over NaN."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.cumulative import cumsum
from chainrule.ops.partials import where as choose
from chainrule.ops.registry import answers
from chainrule.ops.sums import as_array, cumprod, max_, mean_, min_, prod, std, sum_, var
from chainrule.traced import plain

# ruff: noqa: ARG001 -- the bodies have NumPy's signatures; out= is refused before


def _described(function: Any, original: Any) -> Any:
    function.__doc__ = f"{original.__doc__.rstrip('.')}; NaN does not count, its derivative is 0."
    return function


def _ignoring_nan(reduced: Any, neutral: float) -> Any:
    """A reduction of the entries that are not NaN, which get the derivative 0."""

    def nan_reduced(a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        a = as_array(a)
        return reduced(choose(np.isnan(plain(a)), neutral, a), axis, *args, **kwargs)

    return _described(nan_reduced, reduced)


def _with_a_mask(reduced: Any) -> Any:
    def nan_reduced(*args: Any, where: Any = True, **kwargs: Any) -> Any:
        a = as_array(args[0])
        present = ~np.isnan(plain(a)) & where
        a = choose(present, a, 0.0)
        y = reduced(a, *args[1:], where=present, **kwargs)
        # NumPy's nanvar has no variance of fewer than ddof + 1 numbers.
        ddof = kwargs.get("correction", kwargs.get("ddof", args[4] if len(args) > 4 else 0))
        axis = kwargs.get("axis", args[1] if len(args) > 1 else None)
        few = np.sum(present, axis=axis, keepdims=kwargs.get("keepdims", False)) <= ddof
        return choose(few, np.nan, y) if np.any(few) else y

    return _described(nan_reduced, reduced)


def _extreme_ignoring_nan(extreme: Any, worst: float) -> Any:
    def nan_extreme(
        a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, **kwargs: Any
    ) -> Any:
        a = as_array(a)
        missing = np.isnan(plain(a))
        y = extreme(choose(missing, worst, a), axis, keepdims=keepdims, **kwargs)
        nothing = np.all(missing, axis=axis, keepdims=keepdims)
        return choose(nothing, np.nan, y) if np.any(nothing) and not kwargs else y

    return _described(nan_extreme, extreme)


nansum = answers(np.nansum)(_ignoring_nan(sum_, 0.0))
nanprod = answers(np.nanprod)(_ignoring_nan(prod, 1.0))
nancumsum = answers(np.nancumsum)(_ignoring_nan(cumsum, 0.0))
nancumprod = answers(np.nancumprod)(_ignoring_nan(cumprod, 1.0))
nanmean = answers(np.nanmean)(_with_a_mask(mean_))
nanvar = answers(np.nanvar)(_with_a_mask(var))
nanstd = answers(np.nanstd)(_with_a_mask(std))
nanmax = answers(np.nanmax)(_extreme_ignoring_nan(max_, -np.inf))
nanmin = answers(np.nanmin)(_extreme_ignoring_nan(min_, np.inf))
