"""Report: tables, figures and verdicts of the notebooks and pages, made from evaluations of the library.

- :mod:`~contrastlib.report.studies`: the experiments of the papers, their execution and their versions
- :mod:`~contrastlib.report.computing`: their tables, in batches, in shards and on workers
- :mod:`~contrastlib.report.machines`: processors, memory, processes and clusters
- :mod:`~contrastlib.report.results`: kept tables with their provenance
- :mod:`~contrastlib.report.claims`: claims of the papers, verdicts on them, and corrections
- :mod:`~contrastlib.report.notebooks`: execution of the notebooks, and what their cells use
- :mod:`~contrastlib.report.lab`: JupyterLab on a working copy of the notebooks
- :mod:`~contrastlib.report.figures`: figures and tables of the pages, a module for each
- :mod:`~contrastlib.report.pages`: what Sphinx makes of notebooks and texts
- :mod:`~contrastlib.report.release`: what is archived, cited and printed beside the pages
- :mod:`~contrastlib.report.markdown`: tables in Markdown

The modules of the library do not import this package.
"""

from pathlib import Path

from contrastlib.report._clone import warn_of_another_clone

warn_of_another_clone(Path.cwd())
