"""The report: what turns the library's evaluations into the tables, figures and verdicts of the notebooks and pages.

Studies of a network on a data set (:mod:`~contrastlib.report.studies`, :mod:`~contrastlib.report.batches`) run in
resumable shards (:mod:`~contrastlib.report.shards`) that say where they come from
(:mod:`~contrastlib.report.provenance`); their results are kept (:mod:`~contrastlib.report.kept_results`), and used again
until the version of the study changes (:mod:`~contrastlib.report.versions`, :mod:`~contrastlib.report.code_digest`).
Figures, controls and verdicts show them (:mod:`~contrastlib.report.figures`, :mod:`~contrastlib.report.controls`,
:mod:`~contrastlib.report.verdicts`). Notebooks are executed when they are out of date
(:mod:`~contrastlib.report.notebooks`, :mod:`~contrastlib.report.staleness`), check their parameters
(:mod:`~contrastlib.report.parameters`), and Sphinx makes pages of them (:mod:`~contrastlib.report.sphinx_ext`).

Nothing in the library imports this package.
"""

__all__ = [
    "batches", "code_digest", "controls", "dataset_evaluations", "figures", "kept_results", "kernel_provisioner",
    "kernel_startup", "notebooks", "parameters", "provenance", "shards", "sphinx_ext", "staleness", "studies", "verdicts", "versions",
    "zebra_elephant",
]  # fmt: skip

from pathlib import Path

from contrastlib.report._clone import warn_of_another_clone

warn_of_another_clone(Path.cwd())
