"""Tables and images as `Inputs`, and the bundled examples."""

from workbench.data.shapes import SHAPES, shapes, watermark_mask
from workbench.data.tables import background, table

__all__ = ["SHAPES", "background", "shapes", "table", "watermark_mask"]
