"""What the command line prints when something goes wrong: one line, and no traceback unless asked for.

An exception that a ``raise`` statement of contrastlib raised has a message for the user. An error of the
operating system has a file and a reason. Any other exception was not foreseen, and is called a bug.
"""

from __future__ import annotations

import dis
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contrastlib.assets.errors import is_for_memory, one_line
from contrastlib.assets.writing import reason

PACKAGE = Path(__file__).parents[1]
DEBUG = "CONTRASTLIB_DEBUG"
"""Environment variable that asks for tracebacks."""
WRONG, FAILED, INTERRUPTED = 2, 1, 130
"""Exit status if the command cannot be run as it was given; if its work failed; and after Ctrl-C."""


def report(command: str, error: BaseException) -> int:
    """Print a line about an exception to standard error, after its traceback if the user asks for it.

    Args:
        command: The name of the command; empty if it is not known.
        error: The exception.

    Returns:
        The exit status.
    """
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        traceback.print_exception(error)
    status, text = described(error)
    printable = text.encode(errors="backslashreplace").decode()  # a name of a file may be no Unicode
    print(f"contrastlib {command}".rstrip() + f": {printable}", file=sys.stderr)
    return status


def described(error: BaseException) -> tuple[int, str]:
    """The exit status for an exception, and what to say about it.

    >>> described(KeyboardInterrupt())
    (130, 'interrupted')
    >>> described(FileNotFoundError(2, "No such file or directory", "a.yaml"))
    (2, 'a.yaml: No such file or directory')
    """
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if is_meant(error):
        several_lines = hasattr(error, "exit_status")  # such an error has a layout of its own
        return getattr(error, "exit_status", WRONG), str(error) if several_lines else one_line(error)
    if is_for_memory(error):
        return FAILED, (
            "memory ran out: close other programs, or ask for less at a time, such as a smaller "
            f"network, batch or number of images ({one_line(error) or 'MemoryError'})"
        )
    if isinstance(error, ModuleNotFoundError) and not (error.name or "contrastlib").startswith("contrastlib"):
        extra = "cluster" if error.name.startswith(("dask", "distributed")) else "report"
        return WRONG, (
            f"{error.name} is not installed: run `pip install -e .[{extra}]` in a clone of the repository"
        )
    if isinstance(error, OSError) and error.strerror:
        names = " -> ".join(
            os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else str(name)
            for name in (error.filename, error.filename2)
            if name is not None
        )
        return WRONG, f"{_shortened(names)}: {reason(error)}" if names else reason(error)
    return FAILED, (
        f"this is a bug of contrastlib, {type(error).__name__}: {one_line(error)}: {DEBUG}=1 shows where"
    )


def is_meant(error: BaseException) -> bool:
    """Whether the message is meant for the user: a ``raise`` statement of contrastlib raised the exception.

    A library that contrastlib calls, or an operation such as ``[][0]``, raises exceptions that are not.

    >>> is_meant(ZeroDivisionError())
    False
    """
    if type(error).__module__.partition(".")[0] == "contrastlib":
        return True
    if hasattr(error, "meant"):  # see noted()
        return error.meant
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    if last is None or PACKAGE not in Path(last.tb_frame.f_code.co_filename).parents:
        return False
    return last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


@contextmanager
def noted() -> Iterator[None]:
    """Note in an exception whether it is meant, before it leaves its process and loses its traceback."""
    try:
        yield
    except Exception as error:
        error.meant = is_meant(error)
        raise


def _shortened(text: str) -> str:
    """A long name without its middle."""
    return text if len(text) <= 200 else f"{text[:120]}…{text[-60:]}"
