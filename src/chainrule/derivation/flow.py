"""`gradient_flow`: how much of the gradient is left, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.derivation.blocks import (
    Heading,
    Note,
    Table,
    to_html,
    to_latex,
    to_markdown,
    to_text,
)
from chainrule.engine import Node, swept
from chainrule.formulas.digits import number
from chainrule.formulas.naming import Caller
from chainrule.formulas.steps import Steps
from chainrule.formulas.writing import Words
from chainrule.ops.partials import Elementwise
from chainrule.sites import user_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A unit whose activation has a slope below this, and not 0, is saturated.
SATURATED = 0.01
#: Below this part of the last layer's gradient that of the first has vanished, above it exploded.
VANISHED, EXPLODED = 1e-3, 1e3


class Layer(NamedTuple):
    """A layer, counted from the input; the parameters in it, and the activation after it.

    Attributes:
        number: 1 for the first layer.
        gradients: name -> ‖∂E/∂parameter‖.
        size: ‖·‖ of all of them together.
        activation: the name of the op, or "" where none follows.
        factor: ‖cotangent before the activation‖ / ‖cotangent after it‖ on the way back: what the
            gradient is multiplied with there. None where the cotangent is zero.
        units: how many units the activation has.
        saturated: how many of their slopes are below 0.01 but not 0, as a share.
        dead: the units whose slope is 0 for every sample.
    """

    number: int
    gradients: dict[str, float]
    size: float
    activation: str
    factor: float | None
    units: int
    saturated: float
    dead: int


class GradientFlow:
    """The report of `gradient_flow`; printed, it is a table, the last layer first.

    `layers` has a `Layer` for each, the first layer first; `ratio` is the size of the first
    layer's gradient relative to the last's; `warnings` says what is wrong, in sentences.
    """

    def __init__(self, root: str, layers: list[Layer]) -> None:
        self.root, self.layers = root, layers
        sizes = [layer.size for layer in layers if layer.gradients]
        self.ratio = sizes[0] / sizes[-1] if sizes and sizes[-1] else None
        self.warnings = list(_warnings(layers, self.ratio))

    def _blocks(self) -> list[Any]:
        rows = []
        last = next((layer.size for layer in reversed(self.layers) if layer.gradients), 0.0)
        for layer in reversed(self.layers):
            share = number(layer.size / last, 3) if last and layer.gradients else ""
            rows.append(
                [
                    Words(str(layer.number)),
                    Words(_listed(layer.gradients)),
                    Words(number(layer.size, 4) if layer.gradients else ""),
                    Words(share),
                    Words(layer.activation),
                    Words(number(layer.factor, 3) if layer.factor is not None else ""),
                    Words(f"{layer.saturated:.0%}" if layer.activation else ""),
                    Words(f"{layer.dead} of {layer.units}" if layer.activation else ""),
                ]
            )
        headings = [
            *("layer", "parameters", "‖gradient‖", "of the last"),
            *("activation", "factor", "saturated", "dead units"),
        ]
        heading = Heading(f"Gradient flow of {self.root}, from the last layer to the first")
        return [heading, Table(headings, rows), *map(Note, self.warnings)]

    def text(self) -> str:
        """For a terminal."""
        return to_text(self._blocks())

    def latex(self) -> str:
        """An `aligned` environment with the table."""
        return to_latex(self._blocks())

    def markdown(self) -> str:
        """For a notebook or a README."""
        return to_markdown(self._blocks())

    def html(self) -> str:
        """A page of its own."""
        return to_html(self._blocks(), f"Gradient flow of {self.root}")

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        layers = [layer._asdict() for layer in self.layers]
        return {
            "root": self.root,
            "ratio": self.ratio,
            "layers": layers,
            "warnings": self.warnings,
        }

    def __repr__(self) -> str:
        return self.text()

    def _repr_markdown_(self) -> str:
        return self.markdown()


def gradient_flow(root: Any, *, names: Mapping[Any, Any] | None = None) -> GradientFlow:
    """How large the gradient is at each layer, and what is lost of it on the way back.

    A layer ends at an activation: an elementwise function of one input that is not linear. The
    parameters are the leaves of the graph.

    Args:
        root: a Value, or a Tensor of one element.
        names: name -> node, see `explain`.

    Raises:
        TypeError: for a root that is no node.

    >>> import chainrule as cr
    >>> h = cr.Value(1.0, label="x")
    >>> for i in range(3):
    ...     h = cr.sigmoid(0.45 * h + cr.Value(0.65, label=f"b{i + 1}"))
    >>> flow = cr.gradient_flow(h)
    >>> [f"{layer.gradients[f'b{layer.number}']:.1e}" for layer in flow.layers]
    ['1.5e-03', '1.8e-02', '2.0e-01']
    """
    if not isinstance(root, Node):
        raise TypeError(
            f"gradient_flow takes the Value or Tensor that was computed, got {type(root).__name__}"
        )
    steps = Steps(root, (), names, Caller.of(user_frame(2)))
    pairs = swept(root, root.new_seed(None), lambda _node: True)
    adjoints = {id(node): np.asarray(y_bar) for node, y_bar in pairs}
    depth, nearest = _depths(steps)
    deepest = max(depth.values())
    activations: dict[int, list[Node]] = {}
    parameters: dict[int, list[Node]] = {}
    for node in steps.nodes:
        if id(node) not in adjoints or id(node) not in depth:
            continue
        layer = deepest - depth[id(node)] + 1
        if node.op is None:
            parameters.setdefault(layer, []).append(node)
        elif _is_activation(node):
            activations.setdefault(layer - 1, []).append(node)
    # What comes after the last use of a parameter is the loss.
    first = min(parameters)
    last = max(deepest - nearest[id(node)] + 1 for nodes in parameters.values() for node in nodes)
    with np.errstate(all="ignore"):
        layers = [
            _layer(steps, adjoints, i - first + 1, parameters.get(i, []), activations.get(i, []))
            for i in range(first, last + 1)
            if i in parameters or i in activations
        ]
    return GradientFlow(steps.name(root), layers)


def _is_activation(node: Node) -> bool:
    op: Any = node.op
    return type(op) is Elementwise and len(op.rules) == 1 and callable(op.rules[0])


def _depths(steps: Steps) -> tuple[dict[int, int], dict[int, int]]:
    """How many activations lie between each node and the root, on the longest way and at least."""
    depth, nearest = {id(steps.root): 0}, {id(steps.root): 0}
    for node in reversed(steps.nodes):
        if id(node) not in depth:
            continue
        own = _is_activation(node)
        for x in node.inputs_then():
            if isinstance(x, Node):
                depth[id(x)] = max(depth.get(id(x), 0), depth[id(node)] + own)
                near = nearest[id(node)] + own
                nearest[id(x)] = min(nearest.get(id(x), near), near)
    return depth, nearest


def _layer(
    steps: Steps,
    adjoints: dict[int, np.ndarray],
    place: int,
    parameters: list[Node],
    activations: list[Node],
) -> Layer:
    sizes = {steps.name(node): float(np.linalg.norm(adjoints[id(node)])) for node in parameters}
    before = after = 0.0
    slopes = []
    for node in activations:
        y_bar = adjoints[id(node)]
        slope = np.asarray(_slope(node))
        slopes.append(slope.reshape(-1, slope.shape[-1]) if slope.ndim else slope.reshape(1, 1))
        after += float(np.sum(np.abs(y_bar) ** 2))
        before += float(np.sum(np.abs(y_bar * slope) ** 2))
    dead = sum(int(np.sum(np.all(slope == 0, axis=0))) for slope in slopes)
    everything = np.concatenate([slope.ravel() for slope in slopes]) if slopes else np.zeros(0)
    low = (np.abs(everything) < SATURATED) & (everything != 0)
    names = sorted({node.op.name for node in activations if node.op is not None})
    return Layer(
        place,
        sizes,
        float(np.linalg.norm(list(sizes.values()))),
        ", ".join(names),
        float(np.sqrt(before / after)) if after else None,
        sum(slope.shape[-1] for slope in slopes),
        float(np.mean(low)) if low.size else 0.0,
        dead,
    )


def _slope(node: Node) -> Any:
    """The local derivative of an activation."""
    op: Any = node.op
    inputs = [x._held if isinstance(x, Node) else x for x in node.inputs_then()]
    try:
        with np.errstate(all="ignore"):
            return op.partial(0, node._held, inputs, node.params)
    except ArithmeticError:
        return float("inf")


def _listed(gradients: dict[str, float]) -> str:
    names = list(gradients)
    return ", ".join(names if len(names) <= 4 else [*names[:2], "…", names[-1]])


def _warnings(layers: list[Layer], ratio: float | None) -> Any:
    if not all(np.isfinite(layer.size) for layer in layers):
        yield "The gradient is not finite: look for the first NaN or infinity, cr.detect_anomaly."
    if ratio is not None and ratio < VANISHED:
        yield (
            f"The gradient vanishes: the first layer gets {ratio:.1g} of what the last gets. Use"
            f" relu, a residual connection or a normalisation, or a larger initialisation."
        )
    if ratio is not None and ratio > EXPLODED:
        yield (
            f"The gradient explodes: the first layer gets {ratio:.1g} times what the last gets. Use"
            f" a smaller initialisation, a normalisation, or clip the gradient."
        )
    for layer in layers:
        if layer.dead:
            yield (
                f"Layer {layer.number}: {layer.dead} of {layer.units} units are dead, their slope"
                f" is 0 for every sample, and they do not learn."
            )
        if layer.saturated > 0.5:
            yield (
                f"Layer {layer.number}: {layer.saturated:.0%} of the slopes are below {SATURATED}:"
                f" its inputs are too large."
            )
