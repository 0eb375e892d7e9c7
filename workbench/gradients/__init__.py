"""The gradient engine: every target from one forward pass, a batch at a time, over the model's seam.

`cam` turns a layer's activations and gradients into maps; `paths` averages gradients along lines.
"""
