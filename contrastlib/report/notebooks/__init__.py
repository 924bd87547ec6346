"""Notebooks: their execution, the form in which they are stored, and what their cells use.

A notebook is executed if it is out of date:

- :mod:`~contrastlib.report.notebooks.execution`: execution with papermill, with parameters from profiles
- :mod:`~contrastlib.report.notebooks.staleness`: whether a notebook must be executed again
- :mod:`~contrastlib.report.notebooks.kernel_startup`: first code of every kernel
- :mod:`~contrastlib.report.notebooks.kernel_provisioner`: kernels that start as forks of one process

Its stored form does not differ between two runs:

- :mod:`~contrastlib.report.notebooks.executed_form`: reproducible form of an executed notebook
- :mod:`~contrastlib.report.notebooks.saved_widgets`: notebooks without the state of widgets
- :mod:`~contrastlib.report.notebooks.compression`: images in outputs

Its cells use these modules, and figures with their controls from :mod:`contrastlib.report.figures`:

- :mod:`~contrastlib.report.notebooks.parameters`: checks of parameters
- :mod:`~contrastlib.report.notebooks.parameter_values`: values of parameters in YAML
- :mod:`~contrastlib.report.notebooks.said`: sentences with values that other pages show
"""
