"""torchao, imported only when it is needed and without its warnings."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import ModuleType

from workbench.errors import missing

_NOISY = ("torchao", "torch.utils._pytree")  # warn about CUDA libraries, which a CPU does not need


@cache
def torchao_quantization() -> ModuleType:
    """The module `torchao.quantization`.

    Raises:
        MissingDependency: torchao is not installed.
    """
    _installed()
    with _quiet_import():
        from torchao import quantization
    found: ModuleType = quantization
    return found


@cache
def torchao_pt2e() -> tuple[ModuleType, ModuleType]:
    """The modules of `prepare_pt2e` and `convert_pt2e`, and of the quantizer for x86.

    Raises:
        MissingDependency: torchao is not installed.
    """
    _installed()
    with _quiet_import():
        import torchao.quantization.pt2e.quantize_pt2e as steps
        import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as quantizer
    return steps, quantizer


def _installed() -> None:
    if find_spec("torchao") is None:
        raise missing("compress", "A real int8 copy")


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Hides warnings about outdated parts of torch in torchao, and about libraries for other hardware."""
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
