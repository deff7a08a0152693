"""Networks composed of ops: layers for Tensors, `scalar` for Values, operations and losses."""

from chainrule.nn import scalar
from chainrule.nn.layers import MLP, Linear
from chainrule.nn.losses import cross_entropy, half_squared_error, mean_squared_error
from chainrule.nn.module import Module
from chainrule.ops.convolution import conv
from chainrule.ops.windows import (
    average_pool,
    batch_norm,
    binary_cross_entropy,
    dropout,
    embedding,
    layer_norm,
    max_pool,
)

__all__ = [
    "MLP",
    "Linear",
    "Module",
    "average_pool",
    "batch_norm",
    "binary_cross_entropy",
    "conv",
    "cross_entropy",
    "dropout",
    "embedding",
    "half_squared_error",
    "layer_norm",
    "max_pool",
    "mean_squared_error",
    "scalar",
]
