"""The published worked examples, each composed of ops: quantity -> number."""

import random

import numpy as np

import chainrule as cr
from chainrule.demo import START, two_neurons


def values(**numbers):
    return {name: cr.Value(number, label=name) for name, number in numbers.items()}


def grads(nodes, prefix="d"):
    return {f"{prefix}{name}": node.grad for name, node in nodes.items()}


def data(**nodes):
    return {name: node.data for name, node in nodes.items()}


def first_document(inputs):
    assert {k: inputs[k] for k in ("w1", "b1", "w2", "b2")} == START
    weights = values(**START)
    steps = two_neurons(weights)
    steps["E"].backward()
    result = data(**steps) | grads(weights, "dE/d")
    cr.optim.GradientDescent(weights.values(), inputs["lr"]).step()
    return result | {f"{name} new": w.data for name, w in weights.items()}


def mazur(inputs):
    W1, W2 = cr.Tensor(inputs["W1"]), cr.Tensor(inputs["W2"])
    i, t = np.array(inputs["i"]), np.array(inputs["t"])
    optimizer = cr.optim.GradientDescent([W1, W2], inputs["lr"])

    def forward():
        net_h = W1 @ i + inputs["b1"]
        out_h = cr.sigmoid(net_h)
        net_o = W2 @ out_h + inputs["b2"]
        out_o = cr.sigmoid(net_o)
        E = 0.5 * (t - out_o) ** 2
        return net_h, out_h, net_o, out_o, E

    def train(steps):
        for _ in range(steps):
            optimizer.zero_grad()
            cr.sum(forward()[-1]).backward()
            optimizer.step()

    net_h, out_h, net_o, out_o, E = forward()
    total = cr.sum(E)
    table = cr.adjoints(total)
    first, second = cr.adjoints(E[0]), cr.adjoints(E[1])
    result = {
        "net_h1": net_h.data[0],
        "out_h1": out_h.data[0],
        "out_h2": out_h.data[1],
        "net_o1": net_o.data[0],
        "out_o1": out_o.data[0],
        "out_o2": out_o.data[1],
        "E_o1": E.data[0],
        "E_o2": E.data[1],
        "E_total": total.item(),
        "dE/dout_o1": table[out_o][0],
        "dout_o1/dnet_o1": cr.adjoints(out_o[0])[net_o][0],
        "dE/dw5": table[W2][0, 0],
        "dE_o1/dnet_o1": first[net_o][0],
        "dE_o1/dout_h1": first[out_h][0],
        "dE_o2/dout_h1": second[out_h][0],
        "dE/dout_h1": table[out_h][0],
        "dout_h1/dnet_h1": cr.adjoints(out_h[0])[net_h][0],
        "dE/dw1": table[W1][0, 0],
    }
    train(1)
    result |= {f"w{k + 1} new": w for k, w in enumerate([*W1.data.flat, *W2.data.flat])}
    result["E after 1 step"] = cr.sum(forward()[-1]).item()
    train(9999)
    _, _, _, out_o, E = forward()
    return result | {
        "E after 10000": cr.sum(E).item(),
        "out_o1 after 10000": out_o.data[0],
        "out_o2 after 10000": out_o.data[1],
    }


def diamond(inputs):
    v = values(**inputs)
    h1, h2 = v["x"] * v["y"], v["y"] * v["z"]
    h = h1 * h2
    (h * h).backward()
    return grads(v | {"h": h, "h1": h1, "h2": h2}, "do/d")


def three_two_two(inputs):
    W1, b1, W2, b2 = (cr.Tensor(np.array(inputs[k], float)) for k in ("W1", "b1", "W2", "b2"))
    z1 = np.array([inputs["x"]], float) @ W1 + b1
    a1 = cr.sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = cr.sigmoid(z2)
    loss = cr.nn.half_squared_error(a2, np.array([inputs["y"]]))
    for name, node in (("z1", z1), ("z2", z2)):
        node.label = name
    loss.backward()
    result = {
        f"{name}[{k}]": node[0, k]
        for name, node in [
            ("z1", z1.data),
            ("a1", a1.data),
            ("z2", z2.data),
            ("a2", a2.data),
            ("delta1", z1.grad),
            ("delta2", z2.grad),
        ]
        for k in range(2)
    }
    for name, node in (("W1", W1), ("W2", W2)):
        for j, k in np.ndindex(node.shape):
            result[f"d{name}[{j},{k}]"] = node.grad[j, k]
    result["hand text db2[0]"] = result["code db2[0]"] = b2.grad[0]
    cr.optim.GradientDescent([W1, b1, W2, b2], inputs["lr"]).step()
    return result | {
        "W1 new[0,0] code": W1.data[0, 0],
        "W2 new[1,1] code": W2.data[1, 1],
        "hand text W1 new[0,1]": W1.data[0, 1],
        "hand text W2 new[0,0]": W2.data[0, 0],
        "hand text W2 new[1,0]": W2.data[1, 0],
        "hand text b1 new[1]": b1.data[1],
    }


def product_of_sum(inputs):
    v = values(**inputs)
    q = v["x"] + v["y"]
    f = q * v["z"]
    f.backward()
    return data(q=q, f=f) | grads(v, "df/d")


def sigmoid_circuit(inputs):
    w0, w1, w2 = (cr.Value(w) for w in inputs["w"])
    x0, x1 = (cr.Value(x) for x in inputs["x"])
    dot = w0 * x0 + w1 * x1 + w2
    minus = dot * -1.0
    exp = minus.exp()
    plus = exp + 1.0
    f = 1.0 / plus
    f.backward()
    return (
        data(f=f)
        | {"exp node": exp.data, "+1 node": plus.data, "grad at +1 node": plus.grad}
        | {"grad exp node": exp.grad, "grad *-1 node": minus.grad, "grad dot": dot.grad}
        | grads({"w0": w0, "w1": w1, "w2": w2, "x0": x0, "x1": x1})
    )


def max_circuit(inputs):
    v = values(**inputs)
    product, largest = v["x"] * v["y"], cr.maximum(v["z"], v["w"])
    total = product + largest
    f = 2.0 * total
    f.backward()
    return {"xy": product.data, "max": largest.data, "sum": total.data, "f": f.data} | grads(v)


def colah(inputs):
    v = values(**inputs)
    c, d = v["a"] + v["b"], v["b"] + 1.0
    e = c * d
    e.backward()
    return data(e=e) | grads(v | {"c": c, "d": d}, "de/d")


def baydin(inputs):
    v = values(**inputs)
    v1, v2, v3 = v["x1"].log(), v["x1"] * v["x2"], cr.sin(v["x2"])
    v4 = v1 + v2
    y = v4 - v3
    y.backward()
    named = {"v1=ln 2": v1.data, "v2=x1x2": v2.data, "v3=sin 5": v3.data}
    return named | data(v4=v4, y=y) | grads(v, "dy/d")


def micrograd_readme(inputs):
    v = values(**inputs)
    a, b = v["a"], v["b"]
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    return data(g=g) | grads(v, "dg/d")


def micrograd_neuron(inputs):
    source = random.Random(1337)
    w1, w2 = (cr.Value(source.uniform(-1, 1)) for _ in range(2))
    assert [round(w.data, 4) for w in (w1, w2)] == inputs["w"]
    x1, x2 = (cr.Value(x) for x in inputs["x"])
    first, second = w1 * x1, w2 * x2
    out = (first + second + inputs["b"]).relu()
    out.backward()
    return {"w1*x1": first.data, "w2*x2": second.data, "out": out.data} | grads(
        {"w1": w1, "w2": w2, "x1": x1, "x2": x2}
    )


def expression(inputs):
    v = values(**inputs)
    e = v["a"] * v["b"]
    d = e + v["c"]
    L = d * v["f"]
    L.backward()
    return data(e=e, d=d, L=L) | grads(v | {"d": d, "e": e}, "dL/d")


def tanh_neuron(inputs):
    v = values(**{name: float(number) for name, number in inputs.items()})
    n = v["x1"] * v["w1"] + v["x2"] * v["w2"] + v["b"]
    o = n.tanh()
    o.backward()
    return data(n=n, o=o) | grads(v)


def logistic_regression(inputs):
    w, b = cr.Tensor(np.array(inputs["w"], float)), cr.Tensor(float(inputs["b"]))
    X, Y = np.array(inputs["X"]), np.array([inputs["Y"]])
    optimizer = cr.optim.GradientDescent([w, b], 0.009)

    def cost():
        A = cr.sigmoid(w.T @ X + b)
        return -cr.mean(Y * cr.log(A) + (1 - Y) * cr.log(1 - A))

    start = cost()
    start.backward()
    result = {"dw1": w.grad[0, 0], "dw2": w.grad[1, 0], "db": b.grad.item(), "cost": start.item()}
    for _ in range(100):
        optimizer.zero_grad()
        cost().backward()
        optimizer.step()
    return result | {
        "w1 after 100": w.data[0, 0],
        "w2 after 100": w.data[1, 0],
        "b after 100": b.data.item(),
        "dw1 last": w.grad[0, 0],
        "dw2 last": w.grad[1, 0],
        "db last": b.grad.item(),
    }


def check_gradients(inputs):
    def debug(rows, columns):
        return np.sin(np.arange(rows * columns) + 1).reshape((rows, columns), order="F") / 10

    theta1, theta2 = cr.Tensor(debug(5, 4)), cr.Tensor(debug(3, 6))
    samples, lam = 5, inputs["lam"]
    X, y = debug(samples, 3), np.arange(1, samples + 1) % 3
    Y = np.eye(3)[y]
    ones = np.ones((samples, 1))
    hidden = cr.sigmoid(np.concatenate([ones, X], axis=1) @ theta1.T)
    output = cr.sigmoid(np.concatenate([ones, hidden], axis=1) @ theta2.T)
    cost = -cr.sum(Y * cr.log(output) + (1 - Y) * cr.log(1 - output)) / samples
    penalty = cr.sum(theta1[:, 1:] ** 2) + cr.sum(theta2[:, 1:] ** 2)
    (cost + lam / (2 * samples) * penalty).backward()
    unrolled = [*theta1.grad.ravel(order="F"), *theta2.grad.ravel(order="F")]
    return {f"g{k}": g for k, g in enumerate(unrolled)}


def shared_weight(inputs):
    w_h, w_y = cr.Value(inputs["w_h"]), cr.Value(inputs["w_y"])
    y = w_y * (w_h * (w_h * inputs["h0"]).tanh()).tanh()
    y.backward()
    return {
        "autograd dy/dw_h": w_h.grad,
        "autograd dy/dw_y": w_y.grad,
        "poster's hand dy/dw_h": w_h.grad,
    }


def nbis(inputs):
    v = values(**{name: inputs[name] for name in ("w1", "b1", "w2", "b2")})
    z1 = v["w1"] * inputs["x"] + v["b1"]
    a1 = z1.sigmoid()
    z2 = v["w2"] * a1 + v["b2"]
    a2 = z2.sigmoid()
    L = cr.nn.half_squared_error(a2, inputs["y"])
    L.backward()
    w2, w1 = v["w2"], v["w1"]
    result = data(z1=z1, a1=a1, z2=z2, a2=a2) | {
        "L (table)": L.data,
        "dL/da2": a2.grad,
        "da2/dz2": cr.adjoints(a2)[z2],
        "dz2/dw2": cr.adjoints(z2)[w2],
        "dL/dw2 (formula text)": w2.grad,
        "dL/dw2 (table)": w2.grad,
        "da1/dz1": cr.adjoints(a1)[z1],
        "dL/dw1 (table)": w1.grad,
    }
    cr.optim.GradientDescent([w2], inputs["eta"]).step()
    return result | {"w2'": w2.data}


#: The beginning of each example's name -> how it is computed.
EXAMPLES = {
    "IBM two-neuron": first_document,
    "Matt Mazur": mazur,
    "Schiendorfer": diamond,
    "3-2-2 worked example": three_two_two,
    "CS231n f=(x+y)z": product_of_sum,
    "CS231n 2-D sigmoid": sigmoid_circuit,
    "CS231n add/max/mul": max_circuit,
    "colah": colah,
    "Baydin": baydin,
    "micrograd README": micrograd_readme,
    "micrograd gout.svg": micrograd_neuron,
    "Karpathy zero-to-hero L=": expression,
    "Karpathy zero-to-hero tanh": tanh_neuron,
    "Coursera": logistic_regression,
    "Andrew Ng": check_gradients,
    "PyTorch forum": shared_weight,
    "NBIS": nbis,
}
