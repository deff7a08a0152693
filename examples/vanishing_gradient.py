"""The shortcoming of the sigmoid: a chain of n neurons, and what is left of the gradient.

    python examples/vanishing_gradient.py [n ...]

Every weight is 0.45 and every bias 0.65, as in the second neuron of the lecture.
"""

import sys

import chainrule as cr


def chain(n, activation):
    h = 0.1
    for i in range(1, n + 1):
        w, b = cr.Value(0.45, label=f"w{i}"), cr.Value(0.65, label=f"b{i}")
        h = activation(w * h + b)
    return 0.5 * (0.25 - h) ** 2


print("first bias gradient / last bias gradient, and the factor lost at each activation")
print("   n     sigmoid           relu")
for n in map(int, sys.argv[1:] or [2, 5, 10, 20]):
    row = f"{n:4}"
    for activation in (cr.sigmoid, cr.relu):
        layers = cr.gradient_flow(chain(n, activation)).layers
        ratio = layers[0].gradients["b1"] / layers[-1].gradients[f"b{n}"]
        row += f"  {ratio:8.1e} ({layers[0].factor:.2f})"
    print(row)

E = chain(5, cr.sigmoid)
print()
print(cr.gradient_flow(E))
