"""The article's network: 3 inputs, 2 hidden sigmoid neurons, 2 linear outputs.

    python examples/three_two_two.py

Each weight of the first layer reaches the error on two paths, one through each output; its
gradient is the sum of both products. The numbers are chosen: those of the article were lost with
its pictures.
"""

import numpy as np

import chainrule as cr

x, T = np.array([[1.0, 0.5, -1.0]]), np.array([[0.5, -0.25]])
W1 = cr.Tensor([[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]], label="W1")
b1 = cr.Tensor([0.1, -0.2], label="b1")
W2 = cr.Tensor([[0.7, -0.8], [0.9, 0.3]], label="W2")
b2 = cr.Tensor([0.05, 0.15], label="b2")

h = cr.sigmoid(x @ W1 + b1)
O = h @ W2 + b2  # noqa: E741 -- the article's letter
E = cr.nn.mean_squared_error(O, T)
E.backward()

print(f"E = {E.item():.6f}")
print("∂E/∂W1 by backward():")
print(W1.grad)

# By hand, for the weight from input 2 to hidden neuron 1: a path through each output.
h1 = h.data[0, 1]
paths = [-2 * (T[0, k] - O.data[0, k]) * W2.data[1, k] * h1 * (1 - h1) * x[0, 2] for k in range(2)]
print(f"∂E/∂W1[2,1] over its paths: {paths[0]:.6f} + {paths[1]:.6f} = {sum(paths):.6f}")

optimizer = cr.optim.GradientDescent([W1, b1, W2, b2], learning_rate=0.02)
optimizer.step()
print("W1 after one step, all gradients from the old weights:")
print(W1.data)
