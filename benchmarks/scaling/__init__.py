"""Measurements for the model of runs with workers, for page 21 (:mod:`contrastlib.report.computing.scaling`).

``python -m benchmarks.scaling TABLE ... --save`` measures tables and keeps them in
``data/results/benchmarks/scaling``. Seconds are those of one machine with nothing beside them.
"""
