"""The lecture's network: two sigmoid neurons, one input, every number of its example.

    python examples/two_neurons.py

Prints the forward pass, the four gradients, the weights after one step of gradient descent, and
trains until the error is below 0.001.
"""

import chainrule as cr

x, T, learning_rate = 0.1, 0.25, 0.4
w1, b1 = cr.Value(0.15, label="w1"), cr.Value(0.40, label="b1")
w2, b2 = cr.Value(0.45, label="w2"), cr.Value(0.65, label="b2")
weights = [w1, b1, w2, b2]


def forward():
    z1 = w1 * x + b1
    a1 = cr.sigmoid(z1)
    z2 = w2 * a1 + b2
    a2 = cr.sigmoid(z2)
    E = 0.5 * (T - a2) ** 2
    return z1, a1, z2, a2, E


z1, a1, z2, a2, E = forward()
print(f"forward:   z1 = {z1:.3f}  a1 = {a1:.4f}  z2 = {z2:.4f}  a2 = {a2:.4f}  E = {E:.4f}")

E.backward()
print("gradients:", "  ".join(f"∂E/∂{w.label} = {w.grad:.4g}" for w in weights))

optimizer = cr.optim.GradientDescent(weights, learning_rate)
optimizer.step()
print("one step: ", "  ".join(f"{w.label} = {w:.4f}" for w in weights))

for weight, start in zip(weights, (0.15, 0.40, 0.45, 0.65), strict=True):
    weight.data = start
history = cr.fit(lambda: forward()[-1], optimizer, epochs=1000, threshold=0.001)
print(f"training:  {history}")
