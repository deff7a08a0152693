"""micrograd's two moons, every weight a Value: 100 points, 337 weights, hinge loss.

    python examples/two_moons.py [epochs]

Needs scikit-learn for the data: pip install 'chainrule[examples]'.
"""

import sys

from sklearn.datasets import make_moons

import chainrule as cr

points, labels = make_moons(n_samples=100, noise=0.1, random_state=0)
points, labels = points.tolist(), (labels * 2 - 1).tolist()  # labels -1 and 1
model = cr.nn.scalar.MLP([2, 16, 16, 1], "relu", seed=1337)
parameters = model.parameters()


def scores():
    return [model(point) for point in points]


def loss():
    margins = [(1 - label * score).relu() for label, score in zip(labels, scores(), strict=True)]
    data_loss = sum(margins, cr.Value(0.0)) * (1 / len(margins))
    return data_loss + 1e-4 * sum((p * p for p in parameters), cr.Value(0.0))


def accuracy():
    with cr.no_grad():
        right = [(score > 0) == (label > 0) for label, score in zip(labels, scores(), strict=True)]
    return sum(right) / len(right)


epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 40
print(f"{len(parameters)} weights, accuracy before training {accuracy():.0%}")
history = cr.fit(loss, cr.optim.GradientDescent(parameters, learning_rate=0.5), epochs)
print(f"training {history}")
print(f"accuracy after training {accuracy():.0%}")
