"""Attribution x Attribution -> numbers."""

from workbench.compare.agreement import compare

__all__ = ["compare"]
