"""The perturbation engine: players, masks, samplers, evaluation on the model's device, solvers.

Removal (`fills`, `superpixels`) x sampler (`samplers`, `bins`) x summary (`solvers`) gives a method:
Covert, Lundberg & Lee, "Explaining by Removing" (2021).
"""
