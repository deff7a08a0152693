"""What PyTorch gives, in float64: `python tests/torch_references.py` writes data/torch.json anew.

It needs PyTorch, which the tests do not: they compare with the numbers in the file.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

FILE = Path(__file__).parent / "data" / "torch.json"
STEPS = 40
#: Name, class in PyTorch with its arguments, class in chainrule with its arguments.
OPTIMIZERS = [
    ("descent", "SGD", {"lr": 0.1}, "SGD", {"learning_rate": 0.1}),
    (
        *("momentum", "SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
        *("SGD", {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    ),
    (
        *("nesterov", "SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
        *("SGD", {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True}),
    ),
    (
        *("rmsprop", "RMSprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-6}),
        *("RMSProp", {"learning_rate": 0.01, "alpha": 0.9, "eps": 1e-6}),
    ),
    (
        *("centered rmsprop", "RMSprop"),
        {"lr": 0.01, "centered": True, "momentum": 0.5, "weight_decay": 0.1},
        *("RMSProp", {"learning_rate": 0.01, "centered": True, "momentum": 0.5}),
        {"weight_decay": 0.1},
    ),
    (
        *("adagrad", "Adagrad"),
        {"lr": 0.1, "lr_decay": 0.02, "initial_accumulator_value": 0.3, "weight_decay": 0.05},
        *("Adagrad", {"learning_rate": 0.1, "decay": 0.02, "initial": 0.3, "weight_decay": 0.05}),
    ),
    (
        *("adam", "Adam", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-7, "weight_decay": 0.1}),
        *("Adam", {"learning_rate": 0.02, "betas": (0.8, 0.95), "eps": 1e-7, "weight_decay": 0.1}),
    ),
    (
        *("adamw", "AdamW", {"lr": 0.02, "weight_decay": 0.2}),
        *("AdamW", {"learning_rate": 0.02, "weight_decay": 0.2}),
    ),
    (
        *("clipped by norm", "SGD", {"lr": 0.1, "clip_norm": 0.4}),
        *("SGD", {"learning_rate": 0.1, "clip_norm": 0.4}),
    ),
    (
        *("clipped by value", "SGD", {"lr": 0.1, "clip_value": 0.05}),
        *("SGD", {"learning_rate": 0.1, "clip_value": 0.05}),
    ),
]


def plain(x):
    """Arrays as nested lists."""
    return x.detach().numpy().tolist() if isinstance(x, torch.Tensor) else x


def problem():
    """The arrays of a small network: x, target, W, b, V."""
    random = np.random.default_rng(7)
    return [random.normal(size=shape) for shape in ((6, 3), (6, 2), (3, 4), (4,), (4, 2))]


def loss_of(x, target, W, b, V):
    return ((torch.tanh(x @ W + b) @ V - target) ** 2).mean()


def trajectories():
    for name, kind, given, own, *more in OPTIMIZERS:
        x, target, *start = (torch.tensor(a) for a in problem())
        parameters = [p.requires_grad_() for p in start]
        arguments = dict(given)
        norm, value = (arguments.pop(k, None) for k in ("clip_norm", "clip_value"))
        optimizer = getattr(torch.optim, kind)(parameters, **arguments)
        losses = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = loss_of(x, target, *parameters)
            loss.backward()
            if norm:
                nn.utils.clip_grad_norm_(parameters, norm)
            if value:
                nn.utils.clip_grad_value_(parameters, value)
            optimizer.step()
            losses.append(loss.item())
        options = {key: x for some in more for key, x in some.items()}
        yield {
            "name": name,
            "optimizer": own,
            "optimizer_options": options,
            "losses": losses,
            "parameters": [plain(p) for p in parameters],
        }


def schedules():
    """Learning rates before each of twelve steps."""

    def rates(make):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
        schedule, found = make(optimizer), []
        for _ in range(12):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        return found

    kinds = torch.optim.lr_scheduler
    return {
        "StepDecay(0.4, 3, 0.5)": rates(lambda o: kinds.StepLR(o, 3, 0.5)),
        "Exponential(0.4, 0.9)": rates(lambda o: kinds.ExponentialLR(o, 0.9)),
        "Cosine(0.4, 12, 0.05)": rates(lambda o: kinds.CosineAnnealingLR(o, 12, 0.05)),
        "WarmUp(4, Cosine(0.4, 8))": rates(
            lambda o: kinds.SequentialLR(
                o,
                [kinds.LinearLR(o, 0.25, 1.0, 3), kinds.CosineAnnealingLR(o, 8)],
                milestones=[4],
            )
        ),
    }


def pulled(outputs, cotangents, wanted):
    """Gradients of Σ cotangent·output."""
    total = sum((y * torch.tensor(c)).sum() for y, c in zip(outputs, cotangents, strict=True))
    return [plain(g) for g in torch.autograd.grad(total, wanted)]


def recurrent():
    random = np.random.default_rng(3)
    x = random.normal(size=(2, 5, 3))
    for name, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
        layer = getattr(nn, name)(3, 4, batch_first=True).double()
        W, U, b, c = (
            random.normal(size=s) for s in ((3, 4 * gates), (4, 4 * gates), *[(4 * gates,)] * 2)
        )
        with torch.no_grad():
            for parameter, array in zip(layer.parameters(), (W.T, U.T, b, c), strict=True):
                parameter.copy_(torch.tensor(array))
        given = torch.tensor(x, requires_grad=True)
        y, _ = layer(given)
        cotangent = random.normal(size=y.shape)
        yield {
            "name": name,
            "x": x.tolist(),
            "W": W.tolist(),
            "U": U.tolist(),
            "b": b.tolist(),
            "c": c.tolist(),
            "y": plain(y),
            "cotangent": cotangent.tolist(),
            "gradients": pulled([y], [cotangent], [given, layer.weight_ih_l0, layer.weight_hh_l0]),
        }


def attention():
    random = np.random.default_rng(4)
    layer = nn.MultiheadAttention(8, 2, batch_first=True).double()
    x, context = random.normal(size=(2, 5, 8)), random.normal(size=(2, 3, 8))
    in_W, in_b, out_W, out_b = (random.normal(size=s) for s in ((24, 8), (24,), (8, 8), (8,)))
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.tensor(in_W))
        layer.in_proj_bias.copy_(torch.tensor(in_b))
        layer.out_proj.weight.copy_(torch.tensor(out_W))
        layer.out_proj.bias.copy_(torch.tensor(out_b))
    given = torch.tensor(x, requires_grad=True)
    later = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
    own, _ = layer(given, given, given, attn_mask=later)
    other = torch.tensor(context)
    crossed, _ = layer(given, other, other)
    cotangent = random.normal(size=own.shape)
    return {
        "x": x.tolist(),
        "context": context.tolist(),
        "cotangent": cotangent.tolist(),
        "in_W": in_W.tolist(),
        "in_b": in_b.tolist(),
        "out_W": out_W.tolist(),
        "out_b": out_b.tolist(),
        "causal": plain(own),
        "crossed": plain(crossed),
        "gradients": pulled([own], [cotangent], [given, layer.in_proj_weight]),
    }


def batch_norm():
    random = np.random.default_rng(5)
    layer = nn.BatchNorm2d(3, momentum=0.3).double()
    batches = random.normal(2.0, 3.0, size=(3, 4, 3, 2, 2))
    results = [plain(layer(torch.tensor(batch))) for batch in batches[:2]]
    layer.eval()
    results.append(plain(layer(torch.tensor(batches[2]))))
    return {
        "batches": batches.tolist(),
        "results": results,
        "mean": plain(layer.running_mean),
        "variance": plain(layer.running_var),
    }


def convolution():
    random = np.random.default_rng(6)
    options = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}
    x, W, b = (random.normal(size=s) for s in ((2, 4, 7, 9), (6, 2, 3, 2), (6,)))
    y = functional.conv2d(torch.tensor(x), torch.tensor(W), torch.tensor(b), **options)
    return {"x": x.tolist(), "W": W.tolist(), "b": b.tolist(), "options": options, "y": plain(y)}


def losses():
    """Loss and gradient by prediction; the tests know the calls by their names."""
    random = np.random.default_rng(8)
    z, t = random.normal(size=(4, 3)), random.normal(size=(4, 3))
    parts = random.dirichlet(np.ones(3), size=4)
    labels, signs = np.array([0, 2, 1, 2]), np.sign(t)
    inputs = {
        "z": z.tolist(),
        "t": t.tolist(),
        "parts": parts.tolist(),
        "labels": labels.tolist(),
        "signs": signs.tolist(),
    }
    given, target = torch.tensor(z, requires_grad=True), torch.tensor(t)
    shares, classes = torch.tensor(parts), torch.tensor(labels)
    found = {}
    for how in ("mean", "sum", "none"):
        found |= {
            f"mean_squared_error {how}": functional.mse_loss(given, target, reduction=how),
            f"mean_absolute_error {how}": functional.l1_loss(given, target, reduction=how),
            f"huber {how}": functional.huber_loss(given, target, reduction=how, delta=0.7),
            f"binary_cross_entropy {how}": functional.binary_cross_entropy_with_logits(
                given, shares, reduction=how
            ),
            f"cross_entropy {how}": functional.cross_entropy(given, classes, reduction=how),
            f"cross_entropy of probabilities {how}": functional.cross_entropy(
                given, shares, reduction=how
            ),
            # PyTorch divides by the number of classes.
            f"hinge of classes {how}": 3
            * functional.multi_margin_loss(given, classes, reduction=how),
        }
    return {
        "inputs": inputs,
        "losses": {
            name: {"loss": plain(y), "gradient": plain(torch.autograd.grad(y.sum(), given)[0])}
            for name, y in found.items()
        },
    }


def activations():
    x = torch.tensor([-4.0, -1.5, -0.25, 0.0, 0.25, 1.5, 4.0], dtype=torch.float64)
    x.requires_grad_()
    found = {
        "leaky_relu": functional.leaky_relu(x, 0.01),
        "elu": functional.elu(x),
        "gelu": functional.gelu(x, approximate="tanh"),
        "exact gelu": functional.gelu(x),
        "silu": functional.silu(x),
        "softplus": functional.softplus(x, threshold=1e9),
    }
    return {
        "x": plain(x),
        "results": {
            name: {"y": plain(y), "slope": plain(torch.autograd.grad(y.sum(), x)[0])}
            for name, y in found.items()
        },
    }


if __name__ == "__main__":
    references = {
        "source": f"PyTorch {torch.__version__.partition('+')[0]}, float64",
        "problem": [a.tolist() for a in problem()],
        "trajectories": list(trajectories()),
        "schedules": schedules(),
        "recurrent": list(recurrent()),
        "attention": attention(),
        "batch_norm": batch_norm(),
        "convolution": convolution(),
        "losses": losses(),
        "activations": activations(),
    }
    FILE.write_text(json.dumps(references, indent=None) + "\n", encoding="utf-8")
