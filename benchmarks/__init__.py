"""Speed and memory of contrastlib beside those of peers and of the least that could be written by hand.

Everything is a ratio of things measured side by side in one run; times of one machine mean
nothing on another. ``python -m benchmarks --help``.
"""
