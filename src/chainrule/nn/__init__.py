"""Networks composed of ops: layers for Tensors, `scalar` for Values, operations and losses."""

from chainrule.nn import initializers, scalar
from chainrule.nn.activations import (
    ACTIVATIONS,
    elu,
    gelu,
    leaky_relu,
    linear,
    silu,
    softplus,
)
from chainrule.nn.initializers import seed
from chainrule.nn.layers import MLP, Dropout, Embedding, Flatten, Linear, Sequential
from chainrule.nn.losses import (
    binary_cross_entropy,
    cross_entropy,
    half_squared_error,
    hinge,
    huber,
    mean_absolute_error,
    mean_squared_error,
)
from chainrule.nn.module import Module
from chainrule.nn.multihead import MultiHeadAttention, attention
from chainrule.nn.normalisation import BatchNorm, LayerNorm
from chainrule.nn.recurrent import GRU, LSTM, RNN
from chainrule.nn.windows import AveragePool, Conv, MaxPool
from chainrule.ops.convolution import conv
from chainrule.ops.windows import average_pool, batch_norm, dropout, embedding, layer_norm, max_pool
from chainrule.recording import evaluation

__all__ = [
    "ACTIVATIONS",
    "GRU",
    "LSTM",
    "MLP",
    "RNN",
    "AveragePool",
    "BatchNorm",
    "Conv",
    "Dropout",
    "Embedding",
    "Flatten",
    "LayerNorm",
    "Linear",
    "MaxPool",
    "Module",
    "MultiHeadAttention",
    "Sequential",
    "attention",
    "average_pool",
    "batch_norm",
    "binary_cross_entropy",
    "conv",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "evaluation",
    "gelu",
    "half_squared_error",
    "hinge",
    "huber",
    "initializers",
    "layer_norm",
    "leaky_relu",
    "linear",
    "max_pool",
    "mean_absolute_error",
    "mean_squared_error",
    "scalar",
    "seed",
    "silu",
    "softplus",
]
