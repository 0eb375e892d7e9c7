"""What the last bits of a result depend on beside the code."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "numba",
    "llvmlite",
    "torch",
    "xgboost-cpu",
)
FLAGS = (
    "fma",
    "avx",
    "avx2",
    "avx512f",
    "avx512dq",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "asimd",
)
"""Instructions by which libraries choose one way of adding or another."""


def fingerprint() -> dict[str, str]:
    """Processor, what BLAS and torch make of it, and the versions that compute.

    Where all are equal, so are the bits.
    """
    import torch
    from threadpoolctl import threadpool_info

    cores = {
        f"{one['prefix']} {one['version']}": str(one["architecture"])
        for one in threadpool_info()
        if one["user_api"] == "blas" and "architecture" in one
    }
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{library: version_of(library) for library in LIBRARIES},
        **cores,
        "torch's instructions": torch.backends.cpu.get_cpu_capability(),
        **_processor(),
    }


def version_of(library: str) -> str:
    """An installed library's version; empty where it is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _processor() -> dict[str, str]:
    """The processor's family and instructions where Linux tells, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {"processor": platform.processor()}
    told: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        told.setdefault(key.strip(), value.strip())
    there = set(told.get("flags", told.get("Features", "")).split())
    return {
        "processor": " ".join(
            told.get(key, "") for key in ("vendor_id", "cpu family", "model", "model name")
        ).strip(),
        "flags": " ".join(flag for flag in FLAGS if flag in there),
    }
