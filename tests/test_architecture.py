"""The layers: imports point one way, the table is complete, the core needs two packages."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr
from chainrule.ops import TABLE
from chainrule.ops.registry import BY_NUMPY

SRC = Path(cr.__file__).parent
#: From the bottom up; a module may import from its own layer's earlier names and from below.
LAYERS = [
    ["errors", "sites", "recording", "traced", "engine", "paths", "fingerprint", "scopes", "reach"],
    ["ops"],
    [
        "float_sweep",
        "value",
        "assignment",
        "records",
        "replay",
        "holding",
        "tensor",
        "dual",
        "batch",
        "trees",
    ],
    ["formulas"],
    ["gradients", "transforms", "jacobians", "checkpoints"],
    [
        "compiler",
        "optim",
        "pictures",
        "derivation",
        "verification",
        "nn",
        "summaries",
        "saving",
        "data",
        "training",
        "distributed",
        "exchange",
        "numpy",
        "special",
    ],
    ["demo", "worksheet"],
    ["cli"],
    ["__init__", "__main__"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
PUBLIC = (
    *("Value", "Tensor", "no_grad", "stop_gradient", "adjoints", "grad", "value_and_grad", "vjp"),
    *("jvp", "sigmoid", "relu", "tanh", "elementwise", "op", "nn", "optim", "fit", "graph"),
    "render",
    "compile",
)
MODULES = sorted(SRC.rglob("*.py"))


def imports(path):
    """Names of chainrule's modules that a file imports, type-checking imports included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "chainrule":
            if node.module == "chainrule":
                yield from (alias.name for alias in node.names)
            else:
                yield node.module.removeprefix("chainrule.")
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"


def layer(path):
    return path.relative_to(SRC).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_down(path):
    for name in imports(path):
        below = name.split(".")[0]
        if below not in RANK:  # `from chainrule import __version__` and the like
            assert RANK[layer(path)] >= RANK["cli"]
            continue
        same = RANK[below] == RANK[layer(path)]
        assert RANK[below] < RANK[layer(path)] or same, f"{layer(path)} imports {name}"


def test_no_cycles():
    names = {str(p.relative_to(SRC).with_suffix("")).replace("/", "."): p for p in MODULES}
    names = {name.removesuffix(".__init__"): p for name, p in names.items()}
    edges = {}
    for name, path in names.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        checking = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        edges[name] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and id(node) not in checking:
                module = (node.module or "").removeprefix("chainrule").removeprefix(".")
                for alias in node.names:
                    full = f"{module}.{alias.name}".removeprefix(".")
                    target = full if full in names else module
                    if target in names and target != name:
                        edges[name].add(target)
    done, ring = set(), []

    def visit(name, path):
        if name in path:
            ring.append([*path, name])
        elif name not in done:
            for target in edges.get(name, ()):
                visit(target, [*path, name])
            done.add(name)

    for name in edges:
        if name != "__init__":
            visit(name, [])
    assert not ring, ring


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC)))
def test_no_import_hides_in_a_function_and_no_op_is_asked_for_its_name(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            hidden = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not hidden, f"{path}: import in {getattr(node, 'name', 'a lambda')}"
        if isinstance(node, ast.Compare):
            assert "op.name ==" not in ast.unparse(node), f"{path}:{node.lineno}"


def test_no_public_function_shares_its_name_with_a_module():
    modules = {path.stem for path in MODULES} | {p.name for p in SRC.iterdir() if p.is_dir()}
    public = {name for name in dir(cr) if not name.startswith("_")}
    functions = {name for name in public if callable(getattr(cr, name))}
    assert not functions & modules


def test_public_names_are_sorted_and_documented():
    assert cr.__all__ == sorted(cr.__all__)
    for name in cr.__all__:
        assert getattr(cr, name).__doc__, name
    missing = {name for name in PUBLIC if not hasattr(cr, name)}
    assert not missing


def test_files_stay_small():
    long = {p.name: n for p in MODULES if (n := len(p.read_text().splitlines())) > 400}
    assert not long


def test_numpy_functions_have_one_op_each():
    """One op, or one function composed of ops that has NumPy's full signature."""
    ops = [op.numpy for op in TABLE.values() if op.numpy is not None]
    assert len(ops) == len(set(ops))
    assert set(ops) <= set(BY_NUMPY)


def test_the_package_imports_with_the_core_dependencies_alone():
    code = (
        "import sys, chainrule as cr, chainrule.cli; "
        "known = {'numpy', 'graphviz', 'chainrule'} | sys.stdlib_module_names; "
        "foreign = {n.split('.')[0] for n in sys.modules} - known; "
        "print(sorted(n for n in foreign if getattr(sys.modules[n], '__file__', None)"
        " and 'site-packages' in sys.modules[n].__file__ and not n.startswith('_')))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out.strip() == "[]"
