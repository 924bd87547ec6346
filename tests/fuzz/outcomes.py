"""What may come of an input: a result or a named error. And how many inputs came to what."""

import dis
import os
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from hypothesis import HealthCheck, settings

import contrastlib
from contrastlib.assets.errors import DataError

KINDS = ("contrasts", "explain", "command line", "profiles", "addresses")
NAMED = (TypeError, ValueError, IndexError, ArithmeticError, DataError)
PACKAGE = Path(contrastlib.__file__).parent
IN_CI = 300  # inputs of all tests together

BY_HAND = os.environ.get("CONTRASTLIB_FUZZ_INPUTS")
INPUTS = int(BY_HAND or IN_CI)
COUNTS = Counter()
"""(kind, outcome) -> number of inputs since the process began."""

# deadlines and slow inputs depend on the machine; nothing is filtered by more than a few assumptions
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
CI = settings(derandomize=True, **_COMMON)
LONG = settings(derandomize=False, print_blob=True, **_COMMON)


@dataclass(frozen=True)
class Outcome:
    """A result or a named error."""

    value: object = None
    error: Exception | None = None

    @property
    def name(self):
        return type(self.error).__name__ if self.error else "result"


def fuzzed(share):
    """A decorator: the settings of a test that takes this share of all inputs."""
    return settings(LONG if BY_HAND else CI, max_examples=max(5, round(share * INPUTS)))


def counted(kind, name):
    """Count an input that came to an outcome of this name."""
    assert kind in KINDS
    COUNTS[kind, name] += 1
    done = COUNTS.total()
    if BY_HAND and done % 500 == 0:
        print(f"\n{done:,} inputs", file=sys.stderr, flush=True)


def outcome(kind, call):
    """Call, count, and return what came of it. An error that is not named is a fault, and raised again."""
    try:
        found = Outcome(value=call())
    except NAMED as error:
        assert_named(error)
        found = Outcome(error=error)
    counted(kind, found.name)
    return found


def is_named(error):
    """Whether a ``raise`` of contrastlib made this error, of a class that callers may expect."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return (
        isinstance(error, NAMED)
        and Path(code.co_filename).is_relative_to(PACKAGE)
        and _raises(code, trace.tb_lasti)
    )


def assert_named(error):
    """Raise an error again unless it is a named one, with a message that is a sentence or two."""
    if not is_named(error):
        raise error
    assert len(str(error).split()) > 3, f"{type(error).__name__} says too little: {error}"


@cache
def _raises(code, offset):
    """Whether the instruction of the code at this offset is a ``raise``."""
    return any(
        each.offset == offset and each.opname == "RAISE_VARARGS" for each in dis.get_instructions(code)
    )


def record(seed, seconds):
    """The counts by kind and outcome, with the seed and the provenance, for a file of JSON."""
    from contrastlib.report.results.provenance import provenance

    kinds = {kind: {name: COUNTS[key, name] for key, name in sorted(COUNTS) if key == kind} for kind in KINDS}
    return {
        "inputs": COUNTS.total(),
        "asked": INPUTS,
        "seed": seed,
        "kinds": kinds,
        "provenance": provenance(seconds, "cpu", hypothesis=version("hypothesis")),
    }
