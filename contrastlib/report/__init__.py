"""Report: tables, figures and verdicts of the notebooks and pages, made from evaluations of the library.

- Studies evaluate networks on data sets (:mod:`~contrastlib.report.studies`,
  :mod:`~contrastlib.report.batches`). They run in resumable shards (:mod:`~contrastlib.report.shards`) with a
  record of their provenance (:mod:`~contrastlib.report.provenance`).
- Results are kept (:mod:`~contrastlib.report.kept_results`) and used again until the version of the study
  changes (:mod:`~contrastlib.report.versions`, :mod:`~contrastlib.report.code_digest`).
- Figures, controls and verdicts show results (:mod:`~contrastlib.report.figures`,
  :mod:`~contrastlib.report.controls`, :mod:`~contrastlib.report.verdicts`).
- Notebooks are executed if they are out of date (:mod:`~contrastlib.report.notebooks`,
  :mod:`~contrastlib.report.staleness`). They check their parameters (:mod:`~contrastlib.report.parameters`),
  and Sphinx converts them to pages (:mod:`~contrastlib.report.sphinx_ext`).

The modules of the library do not import this package.
"""

__all__ = [
    "batches", "code_digest", "controls", "dataset_evaluations", "figures", "kept_results",
    "kernel_provisioner", "kernel_startup", "notebooks", "parameters", "provenance", "shards", "sphinx_ext",
    "staleness", "studies", "verdicts", "versions", "zebra_elephant",
]  # fmt: skip

from pathlib import Path

from contrastlib.report._clone import warn_of_another_clone

warn_of_another_clone(Path.cwd())
