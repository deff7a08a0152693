"""Handwritten digits: the 1,797 images of 8 by 8 pixels that scikit-learn carries.

    python examples/digits.py

A Tensor MLP, 64-64-10, cross-entropy, gradient descent in batches of 32; a fifth of the images is
held out. Needs scikit-learn for the data: pip install 'chainrule[examples]'.
"""

import numpy as np
from sklearn.datasets import load_digits

import chainrule as cr

pixels, digits = load_digits(return_X_y=True)
pixels = pixels / 16
order = np.random.default_rng(0).permutation(len(pixels))
held_out, kept = order[: len(order) // 5], order[len(order) // 5 :]

net = cr.nn.MLP([64, 64, 10], "relu", seed=0)


def loss(images, labels):
    return cr.nn.cross_entropy(net(images), labels)


def accuracy(rows):
    with cr.no_grad():
        guesses = net(pixels[rows]).data.argmax(axis=1)
    return np.mean(guesses == digits[rows])


optimizer = cr.optim.GradientDescent(net.parameters(), learning_rate=0.2)
history = cr.fit(
    loss, optimizer, epochs=40, data=[pixels[kept], digits[kept]], batch_size=32, seed=0
)
print(f"training {history}")
print(f"accuracy on the {len(kept)} images it learnt from: {accuracy(kept):.1%}")
print(f"accuracy on the {len(held_out)} images held out:   {accuracy(held_out):.1%}")
