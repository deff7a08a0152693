"""SciPy's special functions for programs to be differentiated: `import chainrule.special`.

Every name is SciPy's own, and its ufuncs record when they meet a traced array, from here or from
`scipy.special`. The functions that SciPy writes in Python convert their arguments, so these are
here instead: `logsumexp`, `softmax`, `log_softmax`, `polygamma`, `multigammaln`.

Raises:
    ImportError: without SciPy, `pip install "chainrule[scipy]"`.
"""

from __future__ import annotations

from typing import Any

try:
    import scipy.special as _special
except ImportError as error:
    raise ImportError('special functions need SciPy: pip install "chainrule[scipy]"') from error

from chainrule.ops.dispatch import load as _load

_own = _load("special")
_OWN = ("log_softmax", "logsumexp", "multigammaln", "polygamma", "softmax")


def __getattr__(name: str) -> Any:
    return getattr(_own if name in _OWN else _special, name)


def __dir__() -> list[str]:
    return sorted({*_OWN, *dir(_special)})
