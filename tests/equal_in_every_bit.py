"""Whether two values are equal in every field and every bit, NaN and the sign of zero included."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def assert_equal(a: Any, b: Any, where: str = "it") -> None:
    """Raises where the two differ in type, shape, order or bits; says where."""
    assert type(a) is type(b), f"{where}: {type(a)} and {type(b)}"
    if is_dataclass(a):
        for one in fields(a):
            assert_equal(getattr(a, one.name), getattr(b, one.name), f"{where}.{one.name}")
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype, where
        assert a.shape == b.shape, where
        assert a.flags.writeable == b.flags.writeable, where
        if a.dtype.hasobject:
            assert_equal(a.tolist(), b.tolist(), where)
        else:
            assert a.tobytes() == b.tobytes(), where
    elif isinstance(a, Mapping):
        assert list(a) == list(b), where
        assert_equal(list(a.values()), list(b.values()), where)
    elif isinstance(a, tuple | list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal(x, y, f"{where}[{i}]")
    elif isinstance(a, float):
        assert struct.pack("d", a) == struct.pack("d", b), f"{where}: {a!r} and {b!r}"
    else:
        assert a == b, f"{where}: {a!r} and {b!r}"
