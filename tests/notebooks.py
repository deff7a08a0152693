"""Running notebooks without a kernel: cell after cell, with what they print and show."""

import ast
import contextlib
import io
import json


def run(path):
    """The notebook with the outputs of a fresh run."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    namespace = {"__name__": "__main__"}
    count = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
            cell["outputs"] = outputs("".join(cell["source"]), namespace, f"{path.stem}-{count}")
            for output in cell["outputs"]:
                if output["output_type"] == "execute_result":
                    output["execution_count"] = count
    return notebook


def outputs(source, namespace, name):
    """What a cell prints, and what its last expression is shown as."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), namespace)  # noqa: S102 -- the project's own
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)  # noqa: S307
    found = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        found.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        found.append({"data": shown(value), "metadata": {}, "output_type": "execute_result"})
    return found


def shown(value):
    """The richest form that a thing has."""
    if hasattr(value, "_repr_mimebundle_"):
        bundle = value._repr_mimebundle_()
        return {kind: form.splitlines(keepends=True) for kind, form in bundle.items()}
    for method, kind in (("_repr_html_", "text/html"), ("_repr_svg_", "image/svg+xml")):
        form = getattr(value, method, lambda: None)()
        if form is not None:
            return {kind: form.splitlines(keepends=True), "text/plain": [type(value).__name__]}
    return {"text/plain": repr(value).splitlines(keepends=True)}


def text_of(notebook):
    """The notebook as it is kept in a file."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
