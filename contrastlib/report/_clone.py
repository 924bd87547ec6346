"""Warning if a notebook of one clone of the repository runs with the code of another clone."""

import warnings
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]


def warn_of_another_clone(folder: Path) -> None:
    """Warn if ``folder`` is in a clone of this repository whose code is not the running code.

    An environment contains the code of the clone from which it was installed. ``make`` and ``contrastlib
    run`` start kernels with the code of their own clone. Papermill and Jupyter do not if they are started
    directly.

    Args:
        folder: Working directory of the kernel. For a notebook, this is the folder of the notebook.
    """
    for root in (folder, *folder.parents):
        if (root / "contrastlib" / "report" / Path(__file__).name).is_file():
            if root != CODE:
                warnings.warn(
                    f"this notebook lies in {root}, and the code that runs is that of {CODE}: "
                    f"set PYTHONPATH={root}, or run `make install` there",
                    stacklevel=2,
                )
            return
