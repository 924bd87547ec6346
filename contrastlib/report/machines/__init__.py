"""What studies and notebooks run on: processors, memory, processes and clusters.

- :mod:`~contrastlib.report.machines.devices`: processors and GPUs of studies
- :mod:`~contrastlib.report.machines.allocation`: how processes of studies and notebooks keep freed memory
- :mod:`~contrastlib.report.machines.memory`: how much memory a process has taken
- :mod:`~contrastlib.report.machines.process_lifetimes`: processes that end with the one that started them
- :mod:`~contrastlib.report.machines.clusters`: Dask clusters that last as long as a command
"""
