"""The exact tree engine: Shapley values of sums of trees, leaf by leaf, for all rows at once.

`flatten` turns trees and rows into integers; `kernels` and `pair_kernels` walk them, compiled by numba;
`credit` and `interactions` are the functions to call.
"""
