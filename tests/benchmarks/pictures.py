"""From a graph to a written SVG: chainrule, torchviz, and a drawing in the manner of micrograd.

    python tests/benchmarks/pictures.py [rounds] [limit in seconds]

The same computation of about 20, 200, 2,000 and 20,000 nodes is built with each library; the
drawings are timed in turn, each in a process of its own that is stopped at the limit. Printed are
medians and their ratios to chainrule's. "everything" draws every node, as the others do; by default
chainrule folds what does not fit a picture. Needs torch, torchviz, micrograd and the dot program;
who is missing is left out.
"""

import importlib.util
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import graphviz

SIZES = (20, 200, 2000, 20_000)


def network(size, number, tanh):
    """Tanh neurons of two inputs each, layer after layer, about `size` nodes with the leaves."""
    row = [number(0.5), number(-0.25)]
    count = len(row)
    while count < size:
        a, b = row[-2:]
        w, u = number(0.7), number(-0.4)
        row.append(tanh(w * a + u * b))
        count += 6
    return row[-1]


def chainrule_graph(size):
    import chainrule as cr

    y = network(size, cr.Value, cr.tanh)
    y.backward()
    return y


def draw_chainrule(y, path):
    import chainrule as cr

    cr.render(y, path)


def draw_everything(y, path):
    import chainrule as cr

    cr.render(y, path, max_nodes=1_000_000, max_edges=1_000_000)


def torch_graph(size):
    import torch

    def number(x):
        return torch.tensor(x, dtype=torch.float64, requires_grad=True)

    y = network(size, number, torch.tanh)
    y.backward(retain_graph=True)
    return y


def draw_torchviz(y, path):
    from torchviz import make_dot

    make_dot(y).render(str(path.with_suffix("")), format="svg", cleanup=True)


def micrograd_graph(size):
    from micrograd.engine import Value

    y = network(size, Value, lambda x: x.relu())
    y.backward()
    return y


def draw_micrograd(y, path):
    """Records with data and gradient, and an oval for every op between them."""
    dot = graphviz.Digraph(format="svg", graph_attr={"rankdir": "LR"})
    seen, pending = {id(y)}, [y]
    while pending:
        node = pending.pop()
        name = str(id(node))
        dot.node(name, f"{{ data {node.data:.4f} | grad {node.grad:.4f} }}", shape="record")
        if node._op:
            dot.node(name + "op", node._op)
            dot.edge(name + "op", name)
        for x in node._prev:
            dot.edge(str(id(x)), name + "op")
            if id(x) not in seen:
                seen.add(id(x))
                pending.append(x)
    dot.render(str(path.with_suffix("")), cleanup=True)


CONTESTANTS = {
    "chainrule": ("chainrule", chainrule_graph, draw_chainrule),
    "chainrule, everything": ("chainrule", chainrule_graph, draw_everything),
    "torchviz": ("torchviz", torch_graph, draw_torchviz),
    "micrograd's way": ("micrograd", micrograd_graph, draw_micrograd),
}


def once(make, draw, size, results):
    """One drawing, timed in this process, imports and the building of the graph not counted."""
    sys.setrecursionlimit(1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        draw(make(20), Path(folder) / "warm.svg")
        graph = make(size)
        path = Path(folder) / "graph.svg"
        start = time.perf_counter()
        draw(graph, path)
        seconds = time.perf_counter() - start
        results.put((seconds, path.stat().st_size))


def timed(make, draw, size, limit):
    results = multiprocessing.Queue()
    worker = multiprocessing.Process(target=once, args=(make, draw, size, results))
    worker.start()
    try:
        return results.get(timeout=limit)
    except Exception:  # noqa: BLE001 -- nothing came within the limit
        return None
    finally:
        worker.kill()
        worker.join()


def main(rounds=3, limit=60):
    known = {
        name: rest for name, (module, *rest) in CONTESTANTS.items()
        if importlib.util.find_spec(module)
    }  # fmt: skip
    print("| nodes | " + " | ".join(known) + " |")
    print("|---|" + "---|" * len(known))
    for size in SIZES:
        samples = {name: [] for name in known}
        for _ in range(rounds):
            for name, (make, draw) in known.items():
                if None not in samples[name]:
                    samples[name].append(timed(make, draw, size, limit))
        base = statistics.median(seconds for seconds, _ in samples["chainrule"])
        cells = []
        for found in samples.values():
            if None in found:
                cells.append(f"> {limit} s (> {limit / base:,.0f})")
                continue
            seconds = statistics.median(s for s, _ in found)
            cells.append(f"{seconds:.3g} s ({seconds / base:.2g}), {found[0][1] / 1e3:,.0f} kB")
        print(f"| {size:,} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
