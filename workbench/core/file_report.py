"""`FileReport`: what a model file contains, what was checked, and by which library version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class FileReport:
    """The record of how one file was checked and loaded, kept on the model that was loaded.

    >>> report = FileReport("net.safetensors", "safetensors", "ab" * 32, 812, dtypes={"F32": 4})
    >>> report.to_rows()[:4]
    [('file', 'net.safetensors'), ('format', 'safetensors'), ('size', '812 bytes'), ('tensors', '4 F32')]

    Args:
        file: the file's name, safe to show; where it was a link, the name it led to as well.
        format: what its bytes are.
        sha256: of the bytes that were inspected and loaded, in hexadecimal.
        bytes: its size.
        dtypes: how many tensors of each precision; empty where a format has no tensors.
        parameters: numbers in all tensors.
        not_finite: the names of tensors that hold NaN or infinity; a model with any is not loaded.
        checks: what was checked, in the order it was.
        versions: {library: the version that read the file}.
        quarantine: the limits of the process that first tried the file, or "" where none was needed.
        trusted: whether the caller vouched for the file, so that code in it could run.
    """

    file: str
    format: str
    sha256: str
    bytes: int
    dtypes: Mapping[str, int] = field(default_factory=dict)
    parameters: int = 0
    not_finite: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    quarantine: str = ""
    trusted: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtypes", MappingProxyType(dict(self.dtypes)))
        object.__setattr__(self, "versions", MappingProxyType(dict(self.versions)))

    def to_rows(self) -> list[tuple[str, str]]:
        """Pairs of a word and its value here, for a table; not yet escaped."""
        rows = [
            ("file", self.file),
            ("format", self.format),
            ("size", f"{self.bytes:,} bytes"),
        ]
        if self.dtypes:
            counted = ", ".join(f"{count:,} {dtype}" for dtype, count in self.dtypes.items())
            rows.append(("tensors", counted))
            rows.append(("parameters", f"{self.parameters:,}"))
            rows.append(("NaN or infinite", ", ".join(self.not_finite) or "none"))
        rows.append(("sha256", self.sha256))
        rows += [("checked", check) for check in self.checks]
        if self.quarantine:
            rows.append(("tried first in", self.quarantine))
        rows.append(("read by", ", ".join(f"{one} {v}" for one, v in self.versions.items())))
        if self.trusted:
            rows.append(("trusted", "the caller vouched for it; its own code may have run"))
        return rows
