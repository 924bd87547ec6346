"""JupyterLab in a process that ends with the command that started it.

Run it with ``python -m contrastlib.report.lab.server``.
"""

from contrastlib.report.machines.process_lifetimes import end_with_starter

if __name__ == "__main__":
    from jupyterlab.labapp import main

    end_with_starter()
    main()
