"""Benchmarks of speed and memory: contrastlib, other packages, and a minimal implementation by hand.

All results are ratios of quantities that are measured side by side in one run, because absolute times of one
machine do not apply to another one. ``python -m benchmarks --help`` lists the options.
"""
