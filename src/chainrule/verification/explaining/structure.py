"""Mistakes that no single op knows of: paths, batches, updates, regularisers, mixed-up results."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.explaining.mistake import Mistake
from chainrule.verification.tape import Edge, Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    #: A finished gradient turned into another, and what is taken from the data of all nodes.
    Result = Callable[[Any, Sequence[Any], Sequence[Any]], Any]
    OfData = Callable[[Sequence[Any]], Any]

    from chainrule.verification.explaining.setting import Setting

#: So many other results are tried in place of a layer's input.
MOST_NEIGHBOURS = 12
#: More edges than this out of a node are taken together, not one by one.
MOST_PATHS = 16


def signs(setting: Setting) -> Iterator[Mistake]:
    """The sign of everything, of one term of the loss, and of one result."""
    for what, edges in _wholes(setting):
        yield Mistake(
            f"the sign of every derivative of {what} is wrong", "",
            Edit(factors=dict.fromkeys(edges, -1.0)), None, 1.1,
        )  # fmt: skip
    for i in setting.weights:
        if i in setting.updated:
            yield _result(
                setting, i, "the step was added instead of subtracted", _turned(-1.0), "added", 0.9
            )
        else:
            yield _result(setting, i, "the sign is wrong", _turned(-1.0), None, 1.3)


def _wholes(setting: Setting) -> list[tuple[str, list[Edge]]]:
    """The loss, and its main term where there are penalties, with the edges that all passes by."""
    tape = setting.tape
    slots = [slot for slot, j in enumerate(tape.sources[tape.last]) if j is not None]
    found = [(setting.subject.root_name, [(tape.last, slot) for slot in slots])]
    if setting.penalties:
        main = max(setting.terms, key=lambda i: len(setting.under[i]))
        found.append((setting.subject.name(main), setting.live[main]))
    return found


def updates(setting: Setting) -> Iterator[Mistake]:
    """The step of an update in place of the gradient, and weights updated too early."""
    lr = setting.lr
    if lr is None:
        return
    for i in setting.weights:
        for sentence, turned, rarity in (
            ("-η·gradient was given, the step of the update", _turned(-lr), 1.0),
            ("η·gradient was given in place of the gradient", _turned(lr), 1.2),
            ("the updated weight was given in place of the gradient", _turned(-lr, 1.0, i), 1.2),
            ("the weight plus η·gradient was given", _turned(lr, 1.0, i), 2.0),
        ):
            yield _result(setting, i, sentence, turned, sentence, rarity)
    for i in setting.weights:
        for edge in setting.live[i]:
            if edge[0] == setting.tape.last or not _passes_on(setting, edge):
                continue
            name = setting.subject.name(i)
            yield Mistake(
                f"{name} had been updated already when it was used on the way back", "",
                Edit(updated={edge: lr}), "updated weights",
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
                    f" {k} of {setting.named_after(i)} was followed", "",
                    Edit(cotangents={edge: _masked(mask)}),
                    ("one output", k), 1.0,
                )  # fmt: skip


def _masked(mask: np.ndarray) -> Callable[[Any, Any, Any], Any]:
    return lambda y_bar, pull, _data: pull(y_bar * mask)


def batches(setting: Setting) -> Iterator[Mistake]:
    """Broadcasting undone wrongly: averaged, or one sample only; a bias taken for a weight."""
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
                Edit(cotangents={edge: _masked(mask)}), f"bias {word} sample", 1.2,
            )  # fmt: skip
    source = _input_of_layer(setting, i, slot)
    if source is None:
        return
    factor, what = source

    def multiplied(y_bar: Any, pull: Any, data: Any) -> Any:
        product = y_bar * factor(data)
        if np.shape(product) != np.shape(y_bar):
            raise ValueError("no product of the same shape")
        return pull(product)

    yield Mistake(
        f"the gradient by the bias {name} was multiplied by {what}, as if it were a weight", "",
        Edit(cotangents={edge: multiplied}), "bias times input",
    )  # fmt: skip


def _input_of_layer(setting: Setting, i: int, slot: int) -> tuple[OfData, str] | None:
    """What the weight beside a bias is multiplied by, from the data, with its name."""
    tape = setting.tape
    if tape.nodes[i].op.rules != (1, 1):  # type: ignore[union-attr]
        return None
    j = tape.sources[i][1 - slot]
    while j is not None and tape.nodes[j].op is not None:
        op: Any = tape.nodes[j].op
        if op.rules == (1, 1):  # a sum of products: the first of them
            j = tape.sources[j][0]
            continue
        product = len(tape.sources[j]) == 2 and not op.linear and op.reads_data
        return _beside_weight(setting, j) if product else None
    return None


def _beside_weight(setting: Setting, j: int) -> tuple[OfData, str] | None:
    """The other factor of a product with a weight, from the data, and its name."""
    tape = setting.tape
    for s, k in enumerate(tape.sources[j]):
        if k is not None and tape.nodes[k].op is None:
            other = tape.sources[j][1 - s]
            if other is not None:
                return itemgetter(other), setting.subject.name(other)
            name = setting.subject.constant_name((j, 1 - s))
            return _constantly(tape.constants[j][1 - s]), name or "the input"
    return None


def _constantly(factor: Any) -> OfData:
    return lambda _data: factor


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
                    Edit(taken={(i, slot): z}), "z for a",
                )  # fmt: skip


def neighbours(setting: Setting) -> Iterator[Mistake]:
    """Another layer's input, or the layer's own output, beside a weight."""
    tape = setting.tape
    named = [i for i in setting.names if i != tape.last]
    for i, node in enumerate(tape.nodes):
        op: Any = node.op
        if op is None or not setting.reached[i] or len(tape.sources[i]) != 2 or not op.reads_data:
            continue
        for slot in (0, 1):
            w, own = tape.sources[i][1 - slot], tape.sources[i][slot]
            if w not in setting.weights or own in setting.weights:
                continue
            shape = np.shape(tape.constants[i][slot]) if own is None else setting.shape(own)
            used = (
                setting.subject.name(own)
                if own is not None
                else (setting.subject.constant_name((i, slot)) or "the input")
            )
            for j in named[:MOST_NEIGHBOURS]:
                if j in {own, w} or setting.shape(j) != shape or j in setting.weights:
                    continue
                yield Mistake(
                    f"{setting.subject.name(j)} was taken in place of {used} in the gradient by"
                    f" {setting.subject.name(w)}", "",
                    Edit(taken={(i, slot): j}), None, 2.5,
                )  # fmt: skip


def regularisers(setting: Setting) -> Iterator[Mistake]:
    """A penalty on weights: left out, doubled, halved, or put on the bias as well."""
    terms = setting.penalties
    main = max((setting.under[i] for i in setting.terms), key=len)
    rates: dict[int, float] = {}
    for top, consumers in terms:
        what = ", ".join(setting.subject.name(j) for j in sorted(setting.under[top] & main))
        for sentence, factor, rarity in (
            ("was left out", 0.0, 1.0),
            ("was counted twice: its factor ½ is missing, or its 2 is one too many", 2.0, 1.0),
            ("has half of its derivative: the factor 2 of the square is missing", 0.5, 1.1),
            ("has the wrong sign", -1.0, 1.2),
        ):
            yield Mistake(
                f"the derivative of the regulariser of {what} {sentence}", "",
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
    for i in setting.weights:
        if i not in rates:
            yield _result(
                setting, i, "it was regularised, too, though it is not in the penalty",
                _turned(1.0, rate, i), "regularised bias", 1.0,
            )  # fmt: skip


def _is_regularised(setting: Setting, i: int) -> bool:
    """Whether one of the paths from a leaf is its penalty; that is told of in its own words."""
    if setting.tape.nodes[i].op is not None:
        return False
    return any(i in setting.under[top] for top, _ in setting.penalties)


def factors(setting: Setting) -> Iterator[Mistake]:
    """Everything off by a plain factor: what is left to say if no op explains it."""
    counts: dict[float, str] = {2.0: "2", 0.5: "½"}
    shapes = {setting.shape(i) for i in range(setting.tape.last + 1) if len(setting.shape(i)) == 2}
    for rows, columns_ in shapes:
        for n in (rows, columns_):
            if n > 1:
                counts.setdefault(float(n), str(n))
                counts.setdefault(1.0 / n, f"1/{n}")
    for what, edges in _wholes(setting):
        for factor, text in counts.items():
            yield Mistake(
                f"every derivative of {what} is off by the factor {text}", "",
                Edit(factors=dict.fromkeys(edges, factor)), None, 3.0,
            )  # fmt: skip


def mixed_up(setting: Setting) -> Iterator[Mistake]:
    """The derivative by something else, or the same transposed."""
    for i in setting.weights:
        own = setting.subject.name(i)
        shape = setting.shape(i)
        if len(shape) == 2 and shape[0] == shape[1]:
            yield _result(setting, i, "it was transposed", lambda g, *_: g.T, "transposed", 1.5)
        for j, name in setting.names.items():
            reached = setting.bars[j] is not None
            if j in {i, setting.tape.last} or not reached or setting.shape(j) != shape:
                continue
            yield Mistake(
                f"this is the derivative by {name}, not by {own}", "",
                Edit(results={i: _adjoint_of(j)}), None, 2.0,
            )  # fmt: skip


def _adjoint_of(j: int) -> Result:
    return lambda _gradient, _data, bars: bars[j]


def _turned(times: float, plus: float = 0.0, of: int = 0) -> Result:
    """The gradient times a number, plus some of the data of a node."""
    if not plus:
        return lambda g, *_: times * g
    return lambda g, data, _bars: times * g + plus * data[of]


def _result(
    setting: Setting, i: int, sentence: str, turned: Any, family: str | None, rarity: float
) -> Mistake:
    place = f"in the gradient by {setting.subject.name(i)}"
    return Mistake(sentence, place, Edit(results={i: turned}), family, rarity)


#: Every generator.
STRUCTURAL = (
    signs, updates, paths, columns, batches, activations, neighbours, regularisers, factors,
    mixed_up,
)  # fmt: skip
