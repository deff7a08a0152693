"""Optimisers: from gradients to new weights."""

from chainrule.optim.clipping import clip_by_norm, clip_by_value, global_norm
from chainrule.optim.minimising import scipy_minimize
from chainrule.optim.optimizer import Optimizer, State
from chainrule.optim.rules import SGD, Adagrad, Adam, AdamW, GradientDescent, Lion, RMSProp
from chainrule.optim.schedules import Cosine, Exponential, StepDecay, WarmUp

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Cosine",
    "Exponential",
    "GradientDescent",
    "Lion",
    "Optimizer",
    "RMSProp",
    "State",
    "StepDecay",
    "WarmUp",
    "clip_by_norm",
    "clip_by_value",
    "global_norm",
    "scipy_minimize",
]
