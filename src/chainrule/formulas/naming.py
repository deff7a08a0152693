"""What the nodes and constants of a graph are called.

A name comes from `label=`, then from `names=`, then from the variables of the caller: first plain
variables, then what is inside containers (`h[0]`, `params[W1]`) and objects (`layer1.W`). Nodes
that share a name, or were rebound by `c += …`, are c, c′, c″ in the order they were made. Nothing
is read from source files, so it works in a notebook and in `python -c`.
"""

from __future__ import annotations

import dis
from collections import defaultdict, deque
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.engine import Node
from chainrule.ops.updates import assigned
from chainrule.sites import rebinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import FrameType

#: How many objects of the caller are looked at, and how deep.
MOST_OBJECTS, DEEPEST = 100_000, 4
#: Variables of a notebook that hold everything ever shown.
_SKIPPED = frozenset({"In", "Out", "exit", "quit"})
_INNER = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>"})
_PRIMES = ("", "′", "″", "‴")


class Caller(NamedTuple):
    """Whose variables give names: the scopes, the innermost first, and the code that ran there."""

    scopes: Sequence[Mapping[str, Any]]
    code: CodeType

    @classmethod
    def of(cls, frame: FrameType) -> Caller:
        """The function or module that a frame belongs to."""
        scopes = [frame.f_locals]
        while frame.f_code.co_name in _INNER and frame.f_back is not None:
            frame = frame.f_back  # a comprehension or a lambda sees the names around it
            scopes.append(frame.f_locals)
        if frame.f_globals is not frame.f_locals:
            scopes.append(frame.f_globals)
        return cls(scopes, frame.f_code)


def names_of(
    nodes: Sequence[Node],
    given: Mapping[Any, Any] | None = None,
    caller: Caller | None = None,
) -> tuple[dict[int, str], dict[int, str]]:
    """The names of nodes and of the constants among their inputs, by `id`.

    Args:
        nodes: the nodes of a graph, oldest first.
        given: name -> node or constant.
        caller: whose variables give names.

    Raises:
        ValueError: for a name given twice.
        TypeError: for names that are no text.
    """
    base = {id(node): str(node.label) for node in nodes if node.label}
    constants = {
        id(x): x
        for node in nodes
        for x in node.inputs
        if isinstance(x, float | np.ndarray | np.generic)
    }
    constants |= {  # X, where X.T is used
        id(x.base): x.base
        for x in constants.values()
        if isinstance(x, np.ndarray) and isinstance(x.base, np.ndarray)
    }
    labels = set(base.values())
    known = {id(node) for node in nodes}
    chosen: dict[int, str] = {}
    for name, thing in _checked(given or {}):
        if id(thing) in base and base[id(thing)] != name:
            raise ValueError(
                f"names= calls a node '{name}' that is labelled '{base[id(thing)]}': the label is"
                f" its name"
            )
        if name in labels and base.get(id(thing)) != name:
            raise ValueError(f"names= gives '{name}' to one node, another is labelled '{name}'")
        if id(thing) not in known and id(thing) not in constants:
            raise ValueError(f"names= gives '{name}' to something that is not in the graph")
        chosen[id(thing)] = name
    base |= {i: name for i, name in chosen.items() if i in known}
    taken = labels | set(chosen.values())
    missing = {i for i in known | set(constants) if i not in base and i not in chosen}
    found = _variables(caller, missing, constants) if caller is not None and missing else {}
    by_id = {id(node): node for node in nodes}
    found = {
        i: name
        for i, name in found.items()
        if name not in taken or base.get(id(_origin(by_id.get(i)))) == name
    }
    base |= {i: name for i, name in found.items() if i in known}
    _rebound(nodes, base)
    named = _numbered(nodes, base)
    free = {i: name for i, name in (found | chosen).items() if i in constants}
    used = set(named.values())
    return named, {i: name for i, name in free.items() if name not in used}


def _checked(given: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(given, "items"):
        raise TypeError(f"names= maps names to nodes, got {given!r}")
    seen: dict[Any, Any] = {}
    for key, value in given.items():
        name, thing = (value, key) if isinstance(key, Node) else (key, value)
        if not isinstance(name, str) or not name:
            raise TypeError(f"names= maps names to nodes, got {key!r}: {value!r}")
        if name in seen or id(thing) in seen:
            raise ValueError(
                f"names= gives '{name}' and '{seen.get(id(thing), name)}' to one node"
                f" or one name to two"
            )
        seen[name] = seen[id(thing)] = name
        yield name, thing


def _variables(caller: Caller, wanted: set[int], constants: Mapping[int, Any]) -> dict[int, str]:
    """The caller's names for some objects."""
    found: dict[int, str] = {}
    for scope in caller.scopes:
        own = {
            name: thing
            for name, thing in list(scope.items())
            if name.isidentifier() and not name.startswith("_") and name not in _SKIPPED
        }
        bound: dict[int, list[str]] = defaultdict(list)
        for name, thing in own.items():
            if id(thing) in wanted and id(thing) not in found:
                bound[id(thing)].append(name)
        for i, names in bound.items():
            number = isinstance(constants.get(i), float)
            if not number or (len(names) == 1 and not _is_literal(constants[i], caller)):
                found[i] = names[0]
        for i, path in _inside(own, wanted):
            if not isinstance(constants.get(i), float):
                found.setdefault(i, path)
    return found


def path_inside(thing: Any, wanted: Any) -> str | None:
    """The way from an instance to an object it holds, such as `layers[0]`."""
    own = {name: x for name, x in getattr(thing, "__dict__", {}).items() if name[:1] != "_"}
    for name, x in own.items():
        if x is wanted:
            return str(name)
    return next(iter(_inside(own, {id(wanted)})), (0, None))[1]


def variables_named(caller: Caller, wanted: set[int]) -> dict[int, str]:
    """The caller's names for some objects, by `id`."""
    return _variables(caller, wanted, {})


def _inside(scope: Mapping[str, Any], wanted: set[int]) -> Iterator[tuple[int, str]]:
    """Objects inside of containers and instances, the nearest first."""
    queue = deque((thing, name, 0) for name, thing in scope.items())
    seen: set[int] = set()
    while queue and len(seen) < MOST_OBJECTS:
        thing, path, depth = queue.popleft()
        if id(thing) in seen or depth > DEEPEST:
            continue
        seen.add(id(thing))
        for item, inner in _items(thing, path):
            if id(item) in wanted:
                yield id(item), inner
            else:
                queue.append((item, inner, depth + 1))


def _items(thing: Any, path: str) -> Iterable[tuple[Any, str]]:
    """What a container or an instance holds, with the way to it."""
    if isinstance(thing, dict):
        return [(v, f"{path}[{k}]") for k, v in thing.items() if isinstance(k, str | int)]
    if isinstance(thing, tuple) and hasattr(thing, "_fields"):
        return [(v, f"{path}.{k}") for k, v in zip(thing._fields, thing, strict=False)]
    if isinstance(thing, list | tuple):
        return [(v, f"{path}[{i}]") for i, v in enumerate(thing)]
    if isinstance(thing, Node | ModuleType | FunctionType | type | np.ndarray | np.generic):
        return ()
    return [(v, f"{path}.{k}") for k, v in getattr(thing, "__dict__", {}).items() if k[:1] != "_"]


def _is_literal(number: float, caller: Caller) -> bool:
    """Whether code of the caller computes with this very number as a literal.

    Equal literals of a module are one object: `T = 0.25` and the 0.25 of `0.25 * x` are the same,
    so the variable's name may not be written for the literal.
    """
    pending = [caller.code]
    pending += [f.__code__ for f in caller.scopes[-1].values() if isinstance(f, FunctionType)]
    seen: set[int] = set()
    while pending:
        code = pending.pop()
        if id(code) in seen:
            continue
        seen.add(id(code))
        pending += [c for c in code.co_consts if isinstance(c, CodeType)]
        if not any(c is number for c in code.co_consts):
            continue
        instructions = list(dis.get_instructions(code))
        for here, after in zip(instructions, [*instructions[1:], None], strict=True):
            loads = here.opname.startswith("LOAD_CONST") and here.argval is number
            if loads and (after is None or not after.opname.startswith("STORE")):
                return True
    return False


def _rebound(nodes: Sequence[Node], base: dict[int, str]) -> None:
    """Give what `c += …` was computed from the name c, too."""
    for node in reversed(nodes):
        name = base.get(id(node))
        before = _before(node)
        if name is not None and before is not None:
            base.setdefault(id(before), name)


def _before(node: Node) -> Node | None:
    """What an operator such as += has replaced by this node."""
    before = None
    if node.op is assigned:
        before = node.inputs[-1]
    elif node.op is not None and node.site is not None and rebinds(node.site):
        before = node.inputs[0]
    return before if isinstance(before, Node) else None


def _origin(node: Node | None) -> Node | None:
    """The first of all that += has replaced by this node."""
    while node is not None and (before := _before(node)) is not None:
        node = before
    return node


def _numbered(nodes: Sequence[Node], base: Mapping[int, str]) -> dict[int, str]:
    """Names without repetition: c, c′, c″ for the nodes called c, oldest first."""
    versions: dict[str, int] = defaultdict(int)
    taken = set(base.values())
    named = {}
    for node in nodes:
        name = base.get(id(node))
        if name is None:
            continue
        count = versions[name]
        versions[name] += 1
        full = name + _PRIMES[count] if count < len(_PRIMES) else f"{name}.{count}"
        while count and full in taken:
            full = f"{name}.{versions[name]}" if full.startswith(f"{name}.") else f"{name}.{count}"
            versions[name] += full in taken
        named[id(node)] = full
        taken.add(full)
    return named


def automatic_names(taken: Iterable[str], letter: str = "v") -> Callable[[], str]:
    """v1, v2, … without those that are taken."""
    used = set(taken)
    count = 0

    def fresh() -> str:
        nonlocal count
        while True:
            count += 1
            if f"{letter}{count}" not in used:
                return f"{letter}{count}"

    return fresh
