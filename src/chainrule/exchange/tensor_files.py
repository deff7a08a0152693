"""Arrays by name in the format of safetensors (extra `safetensors`)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.saving import CheckpointError, put_in_place
from chainrule.traced import Traced

if TYPE_CHECKING:
    from collections.abc import Mapping


def save_safetensors(
    path: str | Path, arrays: Any, metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays to a file that other frameworks read.

    Arrays are copied into C order first: safetensors 0.8.0 writes the memory of a transposed or
    sliced array as it lies, so that other numbers come back. The file is put in place whole.

    Args:
        path: the file, `.safetensors`.
        arrays: arrays by name, such as `net.state()`; or a module.
        metadata: texts by name.

    Raises:
        ModuleNotFoundError: without safetensors, with the install command.
        TypeError: for what is no array of numbers.

    >>> import tempfile
    >>> import chainrule as cr
    >>> net = cr.nn.Linear(2, 1, seed=0)
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save_safetensors(path, net.state())
    >>> net.load_state(load_safetensors(path))
    """
    library = _safetensors()
    arrays = arrays.state() if hasattr(arrays, "load_state") else arrays
    held = {}
    for name, array in arrays.items():
        kind = np.asarray(array).dtype.kind if not isinstance(array, Traced) else ""
        if kind not in tuple("fiub"):
            raise TypeError(
                f"{name} is a {type(array).__name__}: real arrays are saved; of a Tensor .data"
            )
        held[name] = np.array(array, order="C")
        if not held[name].dtype.isnative:
            held[name] = held[name].astype(held[name].dtype.newbyteorder("="))
    content = library.save(held, metadata=dict(metadata) if metadata is not None else None)
    put_in_place(Path(path), lambda file: file.write(content))


def load_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file of safetensors, by name.

    Raises:
        ModuleNotFoundError: without safetensors, with the install command.
        FileNotFoundError: if there is no such file.
        CheckpointError: if it is damaged, or something else.
    """
    library, path = _safetensors(), Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        arrays: dict[str, np.ndarray] = library.load_file(path)
    except Exception as error:
        raise CheckpointError(f"{path} is no file of safetensors, or damaged: {error}") from error
    return arrays


def _safetensors() -> Any:
    try:
        return import_module("safetensors.numpy")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "exchange needs safetensors: pip install 'chainrule[safetensors]'"
        ) from None
