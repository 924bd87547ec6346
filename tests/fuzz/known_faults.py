"""Faults that were found and are not mended yet. Each has a minimal input in ``test_known_faults.py``.

An input that ends in one of them is counted as a known fault, and the page on random inputs shows it.
"""

import re
import traceback

KNOWN = {
    "the network cannot run on the images": (
        r"shapes cannot be multiplied|Given groups=|missing the required \"forward\"|LSTM: Expected|BComplex32|to have \d+ channels"
        r"|running_mean should contain|Given normalized_shape|Sizes of tensors must match|Expected \d+D"
    ),
    "an operation in place overwrites what the gradient needs": r"modified by an inplace operation",
    "sparse images": r"sparse|memory format option Contiguous|doesn't have storage|Could not run 'aten::",
}
"""What is wrong -> what PyTorch says to it."""
BOX = "a box that is no pair of values of the images"


def known_fault(error):
    """What is known to be wrong, or None if this error is a new one."""
    functions = {frame.name for frame in traceback.extract_tb(error.__traceback__)}
    if functions & {"first_layer", "_check_box"} and "_call_impl" not in functions:
        return BOX
    return next((name for name, pattern in KNOWN.items() if re.search(pattern, str(error))), None)
