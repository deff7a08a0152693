"""Every op of the library; its declaration is the only thing that knows an op."""

from importlib import import_module

from chainrule.ops.arithmetic import (
    absolute,
    add,
    conjugate,
    divide,
    imag,
    maximum,
    minimum,
    multiply,
    negative,
    positive,
    power,
    real,
    sign,
    subtract,
)
from chainrule.ops.base import Op
from chainrule.ops.broadcasting import astype, broadcast_to
from chainrule.ops.checking import OpCheckError
from chainrule.ops.functions import (
    cos,
    exp,
    log,
    relu,
    sigmoid,
    sin,
    sqrt,
    stop_gradient,
    tanh,
)
from chainrule.ops.kinds import op
from chainrule.ops.linear_algebra import matmul
from chainrule.ops.partials import elementwise, where
from chainrule.ops.reductions import max, mean, min, sum
from chainrule.ops.registry import BY_NUMPY
from chainrule.ops.shapes import concatenate, matrix_transpose, reshape, stack, transpose

#: The files that declare ops, and compose NumPy's functions of them.
FAMILIES = (
    "arithmetic",
    "broadcasting",
    "complex_numbers",
    "convolution",
    "creation",
    "cumulative",
    "exponentials",
    "factors",
    "functions",
    "ignoring_nan",
    "indexing",
    "joining",
    "linear_algebra",
    "matrices",
    "order",
    "partials",
    "polynomials",
    "products",
    "rearranging",
    "reductions",
    "rounding",
    "shapes",
    "singular",
    "spectra",
    "sums",
    "trigonometry",
    "updates",
    "windows",
)

abs = absolute

#: name -> op, everything declared in this package.
TABLE = {
    declared.name: declared
    for family in FAMILIES
    for declared in vars(import_module(f"chainrule.ops.{family}")).values()
    if isinstance(declared, Op)
}

for _declared in TABLE.values():
    _declared.known = True
    if _declared.numpy is not None:  # unless a function with NumPy's full signature answers
        BY_NUMPY.setdefault(_declared.numpy, _declared)

__all__ = [
    "BY_NUMPY",
    "TABLE",
    "Op",
    "OpCheckError",
    "abs",
    "absolute",
    "add",
    "astype",
    "broadcast_to",
    "concatenate",
    "conjugate",
    "cos",
    "divide",
    "elementwise",
    "exp",
    "imag",
    "log",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "op",
    "positive",
    "power",
    "real",
    "relu",
    "reshape",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "stack",
    "stop_gradient",
    "subtract",
    "sum",
    "tanh",
    "transpose",
    "where",
]
