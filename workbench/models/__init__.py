"""Other libraries' models as `Model`: one adapter per file, and the safe intake of files."""

from workbench.models.normalize import Normalize
from workbench.models.small_cnn import small_cnn
from workbench.models.wrapping import wrap

__all__ = ["Normalize", "small_cnn", "wrap"]
