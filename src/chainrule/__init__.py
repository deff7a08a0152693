"""chainrule: reverse-mode autodiff on NumPy that shows and proves what it does."""

from chainrule import nn, optim
from chainrule.engine import ChangedDataError, RuleError, adjoints, count_paths, no_grad
from chainrule.ops import (
    OpCheckError,
    absolute,
    concatenate,
    cos,
    elementwise,
    exp,
    log,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    op,
    relu,
    reshape,
    sigmoid,
    sin,
    sqrt,
    stack,
    stop_gradient,
    sum,
    tanh,
    transpose,
    where,
)
from chainrule.pictures import GraphView, graph, render
from chainrule.tensor import Tensor
from chainrule.training import DivergedError, History, fit
from chainrule.transforms import grad, jvp, value_and_grad, vjp
from chainrule.value import Value

__version__ = "0.1.0"
