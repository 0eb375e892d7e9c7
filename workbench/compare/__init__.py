"""Attribution x Attribution -> numbers, and attribution x truth -> numbers."""

from workbench.compare.agreement import compare
from workbench.compare.pointing import pointing_game

__all__ = ["compare", "pointing_game"]
