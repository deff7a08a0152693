"""chainrule: reverse-mode autodiff on NumPy that shows and proves what it does."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainrule import data, nn, optim
from chainrule.checkpoints import checkpoint
from chainrule.errors import (
    ChangedDataError,
    CompileError,
    DerivationError,
    FormulaError,
    RuleError,
)
from chainrule.jacobians import elementwise_grad, hessian, hvp, jacobian
from chainrule.ops import (
    OpCheckError,
    abs,
    absolute,
    add,
    broadcast_to,
    concatenate,
    cos,
    divide,
    elementwise,
    exp,
    log,
    matmul,
    matrix_transpose,
    max,
    maximum,
    mean,
    min,
    minimum,
    multiply,
    negative,
    op,
    power,
    relu,
    reshape,
    sigmoid,
    sign,
    sin,
    sqrt,
    stack,
    stop_gradient,
    subtract,
    sum,
    tanh,
    transpose,
    where,
)
from chainrule.ops.exponentials import log_softmax, logsumexp, softmax
from chainrule.paths import adjoints, count_paths
from chainrule.recording import detect_anomaly, no_grad
from chainrule.saving import CheckpointError, load, save
from chainrule.scopes import scope
from chainrule.tensor import Tensor
from chainrule.training import DivergedError, History, TrainingWarning, fit
from chainrule.transforms import grad, jvp, value_and_grad, vjp
from chainrule.value import Value

if TYPE_CHECKING:
    from chainrule.compiler import compile
    from chainrule.derivation import Derivation, GradientFlow, explain, gradient_flow
    from chainrule.pictures import GraphView, graph, render
    from chainrule.verification import (
        Report,
        Verdict,
        assert_gradients,
        check,
        misconception,
    )
    from chainrule.worksheet import Exercise, exercise

#: Loaded on first use: who only differentiates does not wait for them.
_LATE = {
    "Derivation": "derivation",
    "Exercise": "worksheet",
    "GradientFlow": "derivation",
    "GraphView": "pictures",
    "Report": "verification",
    "Verdict": "verification",
    "assert_gradients": "verification",
    "check": "verification",
    "compile": "compiler",
    "exercise": "worksheet",
    "explain": "derivation",
    "gradient_flow": "derivation",
    "graph": "pictures",
    "misconception": "verification",
    "render": "pictures",
}

__version__ = "0.1.0"

__all__ = [
    "ChangedDataError",
    "CheckpointError",
    "CompileError",
    "Derivation",
    "DerivationError",
    "DivergedError",
    "Exercise",
    "FormulaError",
    "GradientFlow",
    "GraphView",
    "History",
    "OpCheckError",
    "Report",
    "RuleError",
    "Tensor",
    "TrainingWarning",
    "Value",
    "Verdict",
    "abs",
    "absolute",
    "add",
    "adjoints",
    "assert_gradients",
    "broadcast_to",
    "check",
    "checkpoint",
    "compile",
    "concatenate",
    "cos",
    "count_paths",
    "data",
    "detect_anomaly",
    "divide",
    "elementwise",
    "elementwise_grad",
    "exercise",
    "exp",
    "explain",
    "fit",
    "grad",
    "gradient_flow",
    "graph",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "load",
    "log",
    "log_softmax",
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "misconception",
    "multiply",
    "negative",
    "nn",
    "no_grad",
    "op",
    "optim",
    "power",
    "relu",
    "render",
    "reshape",
    "save",
    "scope",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "sqrt",
    "stack",
    "stop_gradient",
    "subtract",
    "sum",
    "tanh",
    "transpose",
    "value_and_grad",
    "vjp",
    "where",
]


def __getattr__(name: str) -> Any:
    if name == "plots":
        return import_module("chainrule.pictures.plots")
    if name in {"distributed", "exchange", "numpy", "special"}:
        return import_module(f"chainrule.{name}")
    if name not in _LATE:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    return getattr(import_module(f"chainrule.{_LATE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
