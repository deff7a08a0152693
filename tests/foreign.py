"""An array of another library: it speaks NumPy's protocols, as CuPy's do, and is nothing else."""

import numpy as np


class Foreign(np.lib.mixins.NDArrayOperatorsMixin):
    """Refuses to be converted, and to be computed with beside NumPy's arrays of floats.

    Whatever is computed from it is one again, also a single number. Whole numbers and masks of
    NumPy's are taken as indices.
    """

    def __init__(self, inside):
        assert isinstance(inside, np.ndarray)
        self.inside = inside

    def __array__(self, *args, **kwargs):
        raise AssertionError("an array of another library is converted")

    def __getattr__(self, name):
        if name.startswith("__") or name == "data":  # ways to convert it
            raise AttributeError(name)
        found = getattr(self.inside, name)
        if callable(found):
            return lambda *args, **kwargs: wrapped(found(*bare(args), **bare(kwargs)))
        return wrapped(found)

    def __len__(self):
        return len(self.inside)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(self.inside)

    def __float__(self):
        return float(self.inside)

    def __int__(self):
        return int(self.inside)

    def __getitem__(self, index):
        return wrapped(self.inside[bare(index)])

    def __setitem__(self, index, value):
        self.inside[bare(index)] = bare(value)

    def __deepcopy__(self, memo):
        return Foreign(self.inside.copy())

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "at" and not all(isinstance(x, KNOWN) for x in inputs):
            return NotImplemented  # a Tensor answers
        return wrapped(getattr(ufunc, method)(*bare(inputs), **bare(kwargs)))

    def __array_function__(self, function, types, args, kwargs):
        if not all(issubclass(kind, KNOWN) for kind in types):
            return NotImplemented
        if function in {np.asarray, np.array}:  # with like=
            return Foreign(np.array(*args, **kwargs))
        return wrapped(function(*bare(args), **bare(kwargs)))


KNOWN = (Foreign, np.ndarray, np.generic, int, float, complex)


def wrapped(x):
    if isinstance(x, np.ndarray | np.generic):
        return Foreign(np.asarray(x))
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*map(wrapped, x))
    if isinstance(x, tuple | list) and not all(type(item) is int for item in x):
        return type(x)(map(wrapped, x))
    return x


def bare(x):
    if isinstance(x, Foreign):
        return x.inside
    if isinstance(x, np.ndarray) and x.dtype.kind not in "iub":
        raise AssertionError(f"NumPy's array of shape {x.shape}, {x.dtype}, beside another one")
    if isinstance(x, tuple | list):
        return type(x)(map(bare, x))
    return {key: bare(item) for key, item in x.items()} if isinstance(x, dict) else x
