"""Computation of tables: in batches, in shards, and on the workers of a cluster.

- :mod:`~contrastlib.report.computing.batches`: a network on the images of a data set, in batches
- :mod:`~contrastlib.report.computing.shards`: long computations in shards that are resumable and cached
- :mod:`~contrastlib.report.computing.workers`: shards on the workers of a Dask cluster
- :mod:`~contrastlib.report.computing.code_digest`: hash of the code that an evaluation uses
- :mod:`~contrastlib.report.computing.scaling`: model of the time of a run with workers
"""
