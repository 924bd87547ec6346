"""Says so where a notebook of one clone runs with the code of another."""

import warnings
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]


def warn_of_another_clone(folder: Path) -> None:
    """Warn where ``folder`` lies in a clone of this repository whose code is not the one that runs.

    An environment holds the code of the clone that it was installed from. ``make`` and ``contrastlib run`` start
    kernels with the code of their own clone all the same; papermill or Jupyter started by hand do not.

    Args:
        folder: where the kernel works; for a notebook, its own folder.
    """
    for root in (folder, *folder.parents):
        if (root / "contrastlib" / "report" / Path(__file__).name).is_file():
            if root != CODE:
                warnings.warn(f"this notebook lies in {root}, and the code that runs is that of {CODE}: "
                              f"set PYTHONPATH={root}, or run `make install` there", stacklevel=2)
            return
