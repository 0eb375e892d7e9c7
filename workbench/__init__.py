"""An interactive explainability workbench."""
