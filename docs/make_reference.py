"""Writes reference.md: every public name, for the site to fill in. A test compares."""

import inspect
from importlib import import_module
from pathlib import Path

import chainrule as cr

GROUPS = {
    "Nodes": [
        *("Value", "Tensor", "no_grad", "adjoints", "count_paths", "detect_anomaly", "scope"),
        "ChangedDataError",
    ],
    "Transforms": [
        *("grad", "value_and_grad", "vjp", "jvp", "jacobian", "hessian", "hvp"),
        *("elementwise_grad", "checkpoint"),
    ],
    "Ops of your own": ["elementwise", "op", "OpCheckError", "RuleError"],
    "Training": [
        *("fit", "History", "DivergedError", "TrainingWarning", "save", "load", "CheckpointError"),
    ],
    "Compiling": ["compile", "CompileError"],
    "Pictures": ["graph", "GraphView", "render"],
    "Derivations": [
        *("explain", "Derivation", "gradient_flow", "GradientFlow", "DerivationError"),
    ],
    "Proof": ["check", "Report", "Verdict", "assert_gradients", "misconception", "FormulaError"],
    "Exercise sheets": ["exercise", "Exercise"],
}
MODULES = {
    "nn": "Layers, activations, losses",
    "optim": "Optimisers and schedules",
    "data": "Batches",
    "distributed": "Many machines",
    "exchange": "Exchange",
}
HEAD = """# Public names

What `import chainrule as cr` gives, besides [NumPy's functions](coverage.md) and the [ops](ops.md).
"""


#: The classes whose methods are mostly not for users, with those that are.
MEMBERS = {
    "Value": "data, grad, label, backward, item, detach",
    "Tensor": "data, grad, label, backward, item, detach, at",
}


def page():
    """The text of the page."""
    lines = [HEAD]
    for title, names in GROUPS.items():
        lines += [f"## {title}\n", *(entry(cr, name) for name in names)]
    for name, title in MODULES.items():
        module = import_module(f"chainrule.{name}")
        lines.append(f"## {title}: `cr.{name}`\n")
        lines += [entry(module, public) for public in public_names(module)]
    return "\n".join(lines)


def public_names(module):
    """The names of the classes and functions that a module offers."""
    names = getattr(module, "__all__", None) or [
        name for name, x in vars(module).items() if getattr(x, "__module__", "") == module.__name__
    ]
    things = {name: getattr(module, name) for name in names if name[0] != "_"}
    return [name for name, x in things.items() if inspect.isclass(x) or inspect.isfunction(x)]


def entry(module, name):
    """What the site puts the documentation of a thing in place of."""
    thing, kind, members = getattr(module, name), "autofunction", ""
    if inspect.isclass(thing):
        kind = "autoexception" if issubclass(thing, Exception) else "autoclass"
        members = "   :members:\n"
    if name in MEMBERS:
        members = f"   :members: {MEMBERS[name]}\n"
    return f"```{{eval-rst}}\n.. {kind}:: {module.__name__}.{name}\n{members}```\n"


if __name__ == "__main__":
    (Path(__file__).parent / "reference.md").write_text(page(), encoding="utf-8")
