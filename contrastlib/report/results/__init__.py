"""Kept results and their provenance. Studies, notebooks, pages and releases read them.

- :mod:`~contrastlib.report.results.storage`: tables in files, and the folder ``data/results``
- :mod:`~contrastlib.report.results.sealing`: checksum of a result inside of its file
- :mod:`~contrastlib.report.results.provenance`: commit, parameters, versions and machine of a result
- :mod:`~contrastlib.report.results.kept`: tables of studies, and the conditions for their reuse
- :mod:`~contrastlib.report.results.benchmark_records`: records of ``python -m benchmarks``
"""
