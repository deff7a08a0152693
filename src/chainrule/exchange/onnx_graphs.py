"""A forward pass as an ONNX graph (extra `onnx`)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.planning.tiles import needed
from chainrule.compiler.tracing.capture import recorded_call
from chainrule.compiler.tracing.outside import kept_as_it_was
from chainrule.compiler.tracing.placeholder import Placeholder
from chainrule.engine import Node
from chainrule.exchange.building import Builder
from chainrule.exchange.translating import translate
from chainrule.nn.module import Module
from chainrule.recording import evaluation
from chainrule.saving import put_in_place
from chainrule.sites import user_site
from chainrule.trees import flatten

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.compiler.tracing.capture import Recording

#: The versions that are written: those that most runtimes read.
OPSET, IR_VERSION = 18, 9
#: How near the numbers of onnx's own evaluator have to be, in units of the last place.
ULPS = 4096


def save_onnx(path: str | Path, f: Callable[..., Any], *args: Any, check: bool = True) -> None:
    """Write what a function computes as an ONNX graph (opset 18, IR version 9).

    The function is traced for evaluation (`cr.nn.evaluation`): dropout keeps everything, and batch
    norm uses what it has learned. Shapes, whole numbers and conditions of the library are those of
    the arguments given. Parameters are stored in the graph under their names.

    Args:
        path: the file, `.onnx`.
        f: a module, or a function of arrays that returns an array or several.
        args: example arrays, of the shapes and dtypes that the graph is to take.
        check: run onnx's checker and its reference evaluator, and compare with what `f` gives.

    Raises:
        ModuleNotFoundError: without onnx, with the install command.
        ExportError: for an operation that cannot be translated, by its name; nothing is written.
        CompileError: where f cannot be traced, as `cr.compile`.

    >>> import tempfile
    >>> import chainrule as cr
    >>> net = cr.nn.MLP([3, 4, 2], "tanh", seed=0)
    >>> save_onnx(Path(tempfile.mkdtemp()) / "net.onnx", net, np.ones((5, 3)))
    """
    onnx = _onnx()
    arrays = [x.data if isinstance(x, Node) else np.asarray(x) for x in args]
    for array in arrays:
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            raise TypeError(
                f"save_onnx(path, f, *arrays): an example is an array, got {array!r:.80}"
            )
    with kept_as_it_was(f), evaluation():
        recording = recorded_call(f, tuple(arrays), {}, user_site(2))
    model, expected = _model(onnx, f, recording, arrays)
    if check:
        try:
            onnx.checker.check_model(model, full_check=True)
        except Exception as problem:
            raise ExportError(f"onnx refuses the graph: {problem}") from problem
        _compare(onnx, model, arrays, expected)
    content = model.SerializeToString()
    put_in_place(Path(path), lambda file: file.write(content))


class ExportError(TypeError):
    """A function cannot be written as an ONNX graph."""


def _model(onnx: Any, f: Any, recording: Recording, arrays: list[Any]) -> tuple[Any, list[Any]]:
    """The graph, and the results that it has to give."""
    if recording.changes:
        raise ExportError("the function changes its parameters: export the forward pass alone")
    builder, trace = Builder(onnx, recording.trace), recording.trace
    names = _names(f)
    inputs = []
    for i, (number, array) in enumerate(zip(recording.inputs, arrays, strict=True)):
        name = f"input_{i}" if len(arrays) > 1 else "input"
        inputs.append(builder.info(name, array))
        if number is not None:
            builder.results[number] = name
    for i, leaf in enumerate(recording.leaves):
        value = trace.steps[leaf.number].value
        name = names.get(id(leaf.node)) or leaf.node.label or f"parameter_{i}"
        builder.results[leaf.number] = builder.constant(np.asarray(value), name)
    found = [x for x in flatten(recording.result)[0] if isinstance(x, Placeholder)]
    if not found or len(found) < len(flatten(recording.result)[0]):
        raise ExportError("the function has to return arrays that it computed from its arguments")
    for number in sorted(needed(trace, {x.number for x in found})):
        step = trace.steps[number]
        if number not in builder.results:
            translate(builder, step, ExportError)
    outputs = []
    for i, x in enumerate(found):
        name = f"output_{i}" if len(found) > 1 else "output"
        builder.add("Identity", [builder.results[x.number]], name)
        outputs.append(builder.info(name, np.asarray(x.value)))
    builder.pruned([output.name for output in outputs])
    graph = onnx.helper.make_graph(builder.nodes, "chainrule", inputs, outputs, builder.initial)
    model = onnx.helper.make_model(
        graph,
        producer_name="chainrule",
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    return model, [np.asarray(x.value) for x in found]


def _names(f: Any) -> dict[int, str]:
    """The names of the parameters of a module."""
    if not isinstance(f, Module):
        return {}
    return {id(x): name for name, x in f._held().items()}


def _compare(onnx: Any, model: Any, arrays: list[Any], expected: list[Any]) -> None:
    """Raise ExportError unless onnx's evaluator gives the same numbers."""
    evaluator = import_module("onnx.reference").ReferenceEvaluator(model)
    given = {i.name: array for i, array in zip(model.graph.input, arrays, strict=True)}
    for found, wanted in zip(evaluator.run(None, given), expected, strict=True):
        eps = np.finfo(wanted.dtype).eps if wanted.dtype.kind == "f" else 0.0
        size = np.max(np.abs(wanted), initial=0) if wanted.dtype.kind == "f" else 0.0
        if found.dtype != wanted.dtype or not np.allclose(
            found, wanted, rtol=ULPS * eps, atol=ULPS * eps * size, equal_nan=True
        ):
            raise ExportError(
                f"the graph gives other numbers in onnx {onnx.__version__}: please report it"
            )


def _onnx() -> Any:
    try:
        onnx = import_module("onnx")
        for part in ("checker", "helper", "numpy_helper"):
            import_module(f"onnx.{part}")
    except ModuleNotFoundError:
        raise ModuleNotFoundError("exchange needs onnx: pip install 'chainrule[onnx]'") from None
    return onnx
