"""Mistakes that no single op knows of: paths, batches, updates, regularisers, mixed-up results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.mistake import Mistake
from chainrule.verification.tape import Edge, Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chainrule.verification.setting import Setting

#: More edges than this out of a node are taken together, not one by one.
MOST_PATHS = 16


def signs(setting: Setting) -> Iterator[Mistake]:
    """The sign of everything, and of one result."""
    tape = setting.tape
    slots = [slot for slot, j in enumerate(tape.sources[tape.last]) if j is not None]
    root = setting.subject.root_name
    yield Mistake(
        f"the sign of every derivative of {root} is wrong", "",
        Edit(factors={(tape.last, slot): -1.0 for slot in slots}), None, 1.1,
    )  # fmt: skip
    for i in _leaves(setting):
        yield _result(setting, i, "the sign is wrong", lambda g: -g, "sign", 1.3)


def updates(setting: Setting) -> Iterator[Mistake]:
    """The step of an update in place of the gradient, and weights updated too early."""
    lr = setting.lr
    if lr is None:
        return
    for i in _leaves(setting):
        w = setting.data[i]
        for sentence, turned, rarity in (
            ("-η·gradient was given, the step of the update", lambda g, lr=lr: -lr * g, 1.0),
            ("η·gradient was given in place of the gradient", lambda g, lr=lr: lr * g, 1.2),
            ("the updated weight was given in place of the gradient",
             lambda g, w=w, lr=lr: w - lr * g, 1.2),
            ("the weight plus η·gradient was given", lambda g, w=w, lr=lr: w + lr * g, 2.0),
        ):  # fmt: skip
            yield _result(setting, i, sentence, turned, sentence, rarity)
    for i in _leaves(setting):
        bar = setting.bars[i]
        for edge in setting.live[i]:
            if edge[0] == setting.tape.last or not _passes_on(setting, edge):
                continue
            name = setting.subject.name(i)
            yield Mistake(
                f"{name} had been updated already when it was used on the way back", "",
                Edit(inputs={edge: setting.data[i] - lr * bar}), "updated weights",
            )  # fmt: skip


def _passes_on(setting: Setting, edge: Edge) -> bool:
    """Whether a node has another input with a gradient, for whose rule this one's data counts."""
    i, slot = edge
    op: Any = setting.tape.nodes[i].op
    others = [j for s, j in enumerate(setting.tape.sources[i]) if j is not None and s != slot]
    return bool(others) and op.needs_input(slot)


def paths(setting: Setting) -> Iterator[Mistake]:
    """Of several paths one only, one left out, one counted twice."""
    subject = setting.subject
    for i, edges in enumerate(setting.live):
        if not 1 < len(edges) <= MOST_PATHS or _is_regularised(setting, i):
            continue
        name = subject.name(i)
        for edge in edges:
            way = setting.consumer_name(edge)
            yield Mistake(
                f"the path from {name} through {way} was left out", "",
                Edit(factors={edge: 0.0}), None, 1.0 if len(edges) == 2 else 1.2,
            )  # fmt: skip
            yield Mistake(
                f"the path from {name} through {way} was counted twice", "",
                Edit(factors={edge: 2.0}), None, 1.5,
            )  # fmt: skip
        if len(edges) > 2:
            for edge in edges:
                others = {other: 0.0 for other in edges if other != edge}
                yield Mistake(
                    f"of the {len(edges)} paths from {name} only the one through"
                    f" {setting.consumer_name(edge)} was followed", "",
                    Edit(factors=others), None, 1.1,
                )  # fmt: skip
        yield Mistake(
            f"the paths from {name} were averaged instead of added", "",
            Edit(factors=dict.fromkeys(edges, 1 / len(edges))), None, 2.0,
        )  # fmt: skip


def columns(setting: Setting) -> Iterator[Mistake]:
    """Of the outputs of a layer one only: the paths that run inside of a matrix product."""
    for i, node in enumerate(setting.tape.nodes):
        if node.op is None or not setting.reached[i] or getattr(node.op, "name", "") == "":
            continue
        op: Any = node.op
        for slot, j in enumerate(setting.tape.sources[i]):
            other = [s for s in range(len(setting.tape.sources[i])) if s != slot]
            if j is None or setting.tape.nodes[j].op is None or op.gives_partials or op.linear:
                continue
            if len(other) != 1 or setting.tape.sources[i][other[0]] is None:
                continue
            outputs = (setting.shape(i) or (1,))[-1]
            if not 1 < outputs <= MOST_PATHS or len(setting.shape(i)) > 2:
                continue
            name = setting.subject.name(j)
            for k in range(outputs):
                mask = np.zeros(outputs)
                mask[k] = 1.0
                edge = (i, slot)
                yield Mistake(
                    f"of the {outputs} paths from each entry of {name} only the one through output"
                    f" {k} of {setting.subject.name(i)} was followed", "",
                    Edit(cotangents={edge: _masked(setting, edge, mask)}),
                    ("one output", k), 1.0,
                )  # fmt: skip


def _masked(setting: Setting, edge: Edge, mask: np.ndarray) -> Callable[[Any], Any]:
    def pulled(y_bar: Any) -> Any:
        return setting.contribution(edge, y_bar * mask)

    return pulled


def batches(setting: Setting) -> Iterator[Mistake]:
    """Broadcasting undone wrongly: averaged, or one sample only; and the bias taken for a weight."""
    for i, node in enumerate(setting.tape.nodes):
        op: Any = node.op
        if op is None or not setting.reached[i] or not op.gives_partials or len(op.rules) != 2:
            continue
        for slot, j in enumerate(setting.tape.sources[i]):
            if j is None or setting.tape.nodes[j].op is not None:
                continue
            yield from _one_bias(setting, (i, slot), j)


def _one_bias(setting: Setting, edge: Edge, j: int) -> Iterator[Mistake]:
    i, slot = edge
    name = setting.subject.name(j)
    out, own = setting.shape(i), setting.shape(j)
    count = int(np.prod(out, dtype=int) // max(np.prod(own, dtype=int), 1))
    if count > 1 and own and len(out) == 2:
        yield Mistake(
            f"the gradient by {name} was averaged over the samples instead of summed", "",
            Edit(factors={edge: 1 / count}), "bias averaged",
        )  # fmt: skip
        axis = 0 if own[-1] == out[-1] else 1
        for k, word in ((0, "first"), (out[axis] - 1, "last")):
            mask = np.zeros(out)
            mask[(k,) if axis == 0 else (slice(None), k)] = 1.0
            yield Mistake(
                f"the gradient by {name} is that of the {word} sample only, not the sum", "",
                Edit(cotangents={edge: _masked(setting, edge, mask)}), f"bias {word} sample", 1.2,
            )  # fmt: skip
    source = _input_of_layer(setting, i, slot)
    if source is None:
        return
    data, what = source

    def multiplied(y_bar: Any) -> Any:
        product = y_bar * data
        if np.shape(product) != np.shape(y_bar):
            raise ValueError("no product of the same shape")
        return setting.contribution(edge, product)

    yield Mistake(
        f"the gradient by the bias {name} was multiplied by {what}, as if it were a weight", "",
        Edit(cotangents={edge: multiplied}), "bias times input",
    )  # fmt: skip


def _input_of_layer(setting: Setting, i: int, slot: int) -> tuple[Any, str] | None:
    """What the weight beside a bias is multiplied by, with its name."""
    tape = setting.tape
    op: Any = tape.nodes[i].op
    if op.rules != (1, 1):
        return None
    pending = [tape.sources[i][1 - slot]]
    for _ in range(8):  # through a sum of products
        j = pending.pop() if pending else None
        if j is None or tape.nodes[j].op is None:
            return None
        inner: Any = tape.nodes[j].op
        if inner.rules == (1, 1):
            pending += [k for k in tape.sources[j] if k is not None]
            continue
        if len(tape.sources[j]) != 2 or inner.linear or not inner.reads_data:
            return None
        for s, k in enumerate(tape.sources[j]):
            if k is not None and tape.nodes[k].op is None:
                other = tape.sources[j][1 - s]
                if other is None:
                    x = tape.constants[j][1 - s]
                    return x, setting.subject.constant_name((j, 1 - s)) or "the input"
                return setting.data[other], setting.subject.name(other)
        return None
    return None


def activations(setting: Setting) -> Iterator[Mistake]:
    """The weighted sum in place of its activation, or another layer's, beside a weight."""
    tape = setting.tape
    for i, node in enumerate(tape.nodes):
        op: Any = node.op
        if op is None or not setting.reached[i] or len(tape.sources[i]) != 2 or not op.reads_data:
            continue
        for slot, j in enumerate(tape.sources[i]):
            w = tape.sources[i][1 - slot]
            if w is None or tape.nodes[w].op is not None or j is None:
                continue
            inner: Any = tape.nodes[j].op
            if inner is None or not inner.gives_partials or len(tape.sources[j]) != 1:
                continue
            z = tape.sources[j][0]
            if z is not None and setting.shape(z) == setting.shape(j):
                a, s = setting.subject.name(j), setting.subject.name(z)
                weight = setting.subject.name(w)
                yield Mistake(
                    f"{s} was taken in place of {a} in the gradient by {weight}", "",
                    Edit(inputs={(i, slot): setting.data[z]}), "z for a",
                )  # fmt: skip


def regularisers(setting: Setting) -> Iterator[Mistake]:
    """A penalty on weights: left out, doubled, halved, or put on the bias as well."""
    terms = _penalties(setting)
    rates: dict[int, float] = {}
    for top, consumers in terms:
        what = setting.subject.name(top)
        for sentence, factor, rarity in (
            ("was left out", 0.0, 1.0),
            ("was counted twice: its factor ½ is missing, or its 2 is one too many", 2.0, 1.0),
            ("has half of its derivative: the factor 2 of the square is missing", 0.5, 1.1),
            ("has the wrong sign", -1.0, 1.2),
        ):
            yield Mistake(
                f"the derivative of the regulariser {what} {sentence}", "",
                Edit(factors=dict.fromkeys(consumers, factor)), f"regulariser {factor}", rarity,
            )  # fmt: skip
        seeds = {top: setting.bars[top]}
        through = setting.tape.backward(setting.data, seeds=seeds)
        for leaf in setting.under[top]:
            w, part = np.asarray(setting.data[leaf]), through[leaf]
            if part is not None and np.all(w != 0):
                ratio = np.asarray(part) / w
                if np.allclose(ratio, ratio.flat[0], rtol=1e-9):
                    rates[leaf] = float(ratio.flat[0])
    if not rates:
        return
    rate = next(iter(rates.values()))
    for i in _leaves(setting):
        if i not in rates:
            w = setting.data[i]
            yield _result(
                setting, i, "it was regularised, too, though it is not in the penalty",
                lambda g, w=w: g + rate * w, "regularised bias", 1.0,
            )  # fmt: skip


def _penalties(setting: Setting) -> list[tuple[int, list[Edge]]]:
    """The terms of the loss that are computed from weights alone, and not linear in them.

    Such a term has only leaves of the main one under it, and perhaps a λ of its own.
    """
    terms = setting.terms
    if len(terms) < 2:
        return []
    main = max(terms, key=lambda i: len(setting.under[i]))
    whole = setting.under[main]
    found = []
    for i in terms:
        leaves = setting.under[i]
        own = leaves - whole
        few = len(own) <= 1 and all(setting.shape(j) == () for j in own)
        if i != main and few and leaves & whole and len(leaves) < len(whole):
            if setting.data_free[i] and not _is_linear(setting, i):
                found.append((i, setting.live[i]))
    return found


def _is_linear(setting: Setting, i: int) -> bool:
    """Whether the derivative of a node stays as it is when its leaves move."""
    other = {j: 1.5 * setting.data[j] for j in setting.under[i]}
    moved = setting.tape.forward(other)
    seeds = {i: 1.0}
    here, there = (setting.tape.backward(data, seeds=seeds) for data in (setting.data, moved))
    return all(
        np.allclose(here[j], there[j]) for j in setting.under[i] if here[j] is not None
    )


def _is_regularised(setting: Setting, i: int) -> bool:
    """Whether one of the paths from a leaf is its penalty; that is told of in its own words."""
    if setting.tape.nodes[i].op is not None:
        return False
    return any(i in setting.under[top] for top, _ in _penalties(setting))


def factors(setting: Setting) -> Iterator[Mistake]:
    """Everything off by a plain factor: what is left to say if no op explains it."""
    tape = setting.tape
    slots = [slot for slot, j in enumerate(tape.sources[tape.last]) if j is not None]
    counts: dict[float, str] = {2.0: "2", 0.5: "½"}
    shapes = {setting.shape(i) for i in range(tape.last + 1) if len(setting.shape(i)) == 2}
    for rows, columns_ in shapes:
        for n in (rows, columns_):
            if n > 1:
                counts.setdefault(float(n), str(n))
                counts.setdefault(1.0 / n, f"1/{n}")
    for factor, text in counts.items():
        yield Mistake(
            f"every derivative is off by the factor {text}", "",
            Edit(factors={(tape.last, slot): factor for slot in slots}), None, 3.0,
        )  # fmt: skip


def mixed_up(setting: Setting) -> Iterator[Mistake]:
    """The derivative by something else, or the same transposed."""
    for i in _leaves(setting):
        own = setting.subject.name(i)
        shape = setting.shape(i)
        if len(shape) == 2 and shape[0] == shape[1]:
            yield _result(setting, i, "it was transposed", lambda g: g.T, "transposed", 1.5)
        for j, name in setting.names.items():
            if j != i and setting.reached[j] and setting.shape(j) == shape and j != setting.tape.last:
                other = setting.bars[j]
                yield Mistake(
                    f"this is the derivative by {name}, not by {own}", "",
                    Edit(results={i: lambda _g, other=other: other}), None, 2.0,
                )  # fmt: skip


def _leaves(setting: Setting) -> list[int]:
    return [i for i in setting.tape.leaves if setting.reached[i]]


def _result(
    setting: Setting, i: int, sentence: str, turned: Any, family: str, rarity: float
) -> Mistake:
    name = setting.subject.name(i)
    return Mistake(sentence, f"in the gradient by {name}", Edit(results={i: turned}), family, rarity)


#: Every generator.
STRUCTURAL = (
    signs, updates, paths, columns, batches, activations, regularisers, factors, mixed_up,
)  # fmt: skip
