"""Report: tables, figures and verdicts of the notebooks and pages, made from evaluations of the library.

Studies evaluate networks on data sets:

- :mod:`~contrastlib.report.studies`: the experiments as records, and their execution
- :mod:`~contrastlib.report.dataset_evaluations`: evaluations that need a property of the data set
- :mod:`~contrastlib.report.bird_interventions`: interventions on drawn birds
- :mod:`~contrastlib.report.zebra_elephant`: positions of the animals in photographs
- :mod:`~contrastlib.report.batches`: a network on the images of a data set, in batches
- :mod:`~contrastlib.report.devices`: processors and GPUs of studies
- :mod:`~contrastlib.report.allocation`: how processes of studies and notebooks keep freed memory
- :mod:`~contrastlib.report.shards`: long computations in shards that are resumable and cached
- :mod:`~contrastlib.report.workers`: shards on the workers of a Dask cluster
- :mod:`~contrastlib.report.clusters`: Dask clusters that last as long as a command

Results are kept and used again until the version of the study changes:

- :mod:`~contrastlib.report.kept_results`: tables in ``data/results``, and the conditions for their reuse
- :mod:`~contrastlib.report.sealing`: checksum of a result inside of its file
- :mod:`~contrastlib.report.provenance`: commit, parameters, versions and machine of a result
- :mod:`~contrastlib.report.versions`: versions of the studies
- :mod:`~contrastlib.report.code_digest`: hash of the code that an evaluation uses
- :mod:`~contrastlib.report.benchmark_records`: records of ``python -m benchmarks``
- :mod:`~contrastlib.report.scaling`: model of the time of a run with workers

Claims of the papers are judged from tables, and their errors are recorded:

- :mod:`~contrastlib.report.claims`: claims as records
- :mod:`~contrastlib.report.judging`: findings on claims, computed from tables
- :mod:`~contrastlib.report.estimates`: one estimate for each network, and a summary over families
- :mod:`~contrastlib.report.verdicts`: what estimates say of a claim, in one word
- :mod:`~contrastlib.report.multiplicity`: correction for the number of claims
- :mod:`~contrastlib.report.cell_counts`: the rule of verdicts before the present one
- :mod:`~contrastlib.report.populations`: what the images of a verdict are
- :mod:`~contrastlib.report.verdict_tables`: display of the claims of a notebook
- :mod:`~contrastlib.report.correction_records`: corrections of the papers as records
- :mod:`~contrastlib.report.corrections`: their display in notebooks, and their measured effects

Notebooks are executed if they are out of date:

- :mod:`~contrastlib.report.notebooks`: execution with papermill, with parameters from profiles
- :mod:`~contrastlib.report.staleness`: whether a notebook must be executed again
- :mod:`~contrastlib.report.executed_form`: reproducible form of an executed notebook
- :mod:`~contrastlib.report.kernel_startup`: first code of every kernel
- :mod:`~contrastlib.report.kernel_provisioner`: kernels that start as forks of one process
- :mod:`~contrastlib.report.process_lifetimes`: processes that end with the one that started them
- :mod:`~contrastlib.report.lab`: working copy of the notebooks for JupyterLab
- :mod:`~contrastlib.report.lab_server`: JupyterLab, which ends with its command

Notebooks use these modules in their cells:

- :mod:`~contrastlib.report.parameters`: checks of parameters
- :mod:`~contrastlib.report.parameter_values`: values of parameters in YAML
- :mod:`~contrastlib.report.controls`: figures with controls
- :mod:`~contrastlib.report.figures`: figures and tables
- :mod:`~contrastlib.report.markdown`: tables in Markdown
- :mod:`~contrastlib.report.said`: sentences with values that other pages show

Sphinx converts them to pages (:mod:`~contrastlib.report.sphinx_ext`), whose parts these modules make:

- :mod:`~contrastlib.report.page_parts`, :mod:`~contrastlib.report.page_titles`,
  :mod:`~contrastlib.report.page_values`, :mod:`~contrastlib.report.captions`,
  :mod:`~contrastlib.report.folds`, :mod:`~contrastlib.report.download_note`,
  :mod:`~contrastlib.report.citation`: parts of the page of a notebook
- :mod:`~contrastlib.report.verdict_box`, :mod:`~contrastlib.report.claims_page`,
  :mod:`~contrastlib.report.findings`, :mod:`~contrastlib.report.decision_table`,
  :mod:`~contrastlib.report.corrections_page`: verdicts and corrections
- :mod:`~contrastlib.report.explainer_table`, :mod:`~contrastlib.report.contrast_table`,
  :mod:`~contrastlib.report.one_by_one`, :mod:`~contrastlib.report.families_page`,
  :mod:`~contrastlib.report.package_reference`, :mod:`~contrastlib.report.install_lines`,
  :mod:`~contrastlib.report.registry_table`: the library
- :mod:`~contrastlib.report.fault_table`, :mod:`~contrastlib.report.fuzz_page`: how the library was tried
- :mod:`~contrastlib.report.glossary`: terms
- :mod:`~contrastlib.report.live_page`: a network in the reader's browser
- :mod:`~contrastlib.report.single_page`: a notebook as one HTML file
- :mod:`~contrastlib.report.saved_widgets`: notebooks without the state of widgets
- :mod:`~contrastlib.report.compression`: images in outputs
- :mod:`~contrastlib.report.licences`: licences of scripts and styles that the book serves
- :mod:`~contrastlib.report.release`: what is archived, cited and printed beside the pages

The modules of the library do not import this package.
"""

from pathlib import Path

from contrastlib.report._clone import warn_of_another_clone

warn_of_another_clone(Path.cwd())
