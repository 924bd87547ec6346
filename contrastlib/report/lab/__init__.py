"""JupyterLab on a working copy of the notebooks, for ``python -m contrastlib lab``.

The folder ``extensions`` has an extension of JupyterLab.

- :mod:`~contrastlib.report.lab.working_copy`: working copy of the notebooks
- :mod:`~contrastlib.report.lab.server`: JupyterLab, which ends with its command
"""
