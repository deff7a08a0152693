"""Networks composed of ops: `Linear` and `MLP` for Tensors, `scalar` for Values, and losses."""

from chainrule.nn import scalar
from chainrule.nn.layers import MLP, Linear
from chainrule.nn.losses import cross_entropy, half_squared_error, mean_squared_error

__all__ = [
    "MLP",
    "Linear",
    "cross_entropy",
    "half_squared_error",
    "mean_squared_error",
    "scalar",
]
