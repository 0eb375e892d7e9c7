"""Tables and images as `Inputs`, and the bundled examples."""

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.data.assets import asset
    from workbench.data.credit import CREDIT, CREDIT_RULE, credit, credit_effects
    from workbench.data.examples import BREAST_CANCER, breast_cancer, diabetes, digits
    from workbench.data.image_files import images
    from workbench.data.pipelines import transformed
    from workbench.data.scenes import SHAPES, shapes, watermark_mask
    from workbench.data.tables import background, table
else:
    open_door(__name__)

__all__ = [
    "BREAST_CANCER",
    "CREDIT",
    "CREDIT_RULE",
    "SHAPES",
    "asset",
    "background",
    "breast_cancer",
    "credit",
    "credit_effects",
    "diabetes",
    "digits",
    "images",
    "shapes",
    "table",
    "transformed",
    "watermark_mask",
]
