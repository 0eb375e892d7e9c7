"""Other libraries' models as `Model`: one adapter per file, and the safe intake of files."""

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.models.intake import Quarantine, load, save
    from workbench.models.normalize import Normalize
    from workbench.models.small_cnn import small_cnn
    from workbench.models.split import Split
    from workbench.models.wrapping import wrap
else:
    open_door(__name__)

__all__ = ["Normalize", "Quarantine", "Split", "load", "save", "small_cnn", "wrap"]
