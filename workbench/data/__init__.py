"""Tables and images as `Inputs`, and the bundled examples."""

from workbench.data.shapes import SHAPES, shapes, watermark_mask

__all__ = ["SHAPES", "shapes", "watermark_mask"]
