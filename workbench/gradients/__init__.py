"""The gradient engine: all targets from one forward pass, a batch at a time, on any model with gradients.

`cam` turns a layer's activations and gradients into maps; `paths` averages gradients along lines.
"""
