"""Panels for JupyterLab, sharing one `Bench`."""

from importlib.util import find_spec

from workbench.errors import missing

if any(find_spec(library) is None for library in ("ipywidgets", "anywidget")):
    raise missing("jupyter", "A panel")

from workbench.panels.compression import CompressionPanel
from workbench.panels.ensemble import EnsemblePanel
from workbench.panels.explain import ExplainPanel
from workbench.panels.kit import Bench, Job
from workbench.panels.load import LoadPanel

__all__ = ["Bench", "CompressionPanel", "EnsemblePanel", "ExplainPanel", "Job", "LoadPanel"]
