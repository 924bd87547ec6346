"""The versions of the studies, and the state of the code that each of them stands for.

Results are identified by the version of their study and not by its code, so that changes of the code that do
not change numbers do not require new computations. ``versions.json`` has three parts:

- ``studies``: the version of each study and a digest of its code
  (:func:`contrastlib.report.computing.code_digest.code_digest`),
- ``registered``: the modules of explainers and contrasts that the digests cover because a registry imports
  its whole package,
- ``sources``: a digest of each module that makes networks or images of studies.

A test fails if the code has changed since then, and its message describes the possible decisions. ``python -m
contrastlib.report.studies.versions --accept`` writes the file again. A new explainer or contrast needs no
decision: its module is not in ``registered``, and no study that exists imports it by name. Neither does a new
data set or architecture. A change of a module that is listed does, and so does its removal.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Mapping

from contrastlib.report.computing.code_digest import (
    ACCEPTED,
    code_digest,
    module_digests,
    registered_modules,
)
from contrastlib.report.studies.records import STUDIES

SOURCES = ("contrastlib.datasets", "contrastlib.models.architectures")
"""Packages whose code decides images, labels and networks."""
COMMAND = "python -m contrastlib.report.studies.versions --accept"


def current(registered: Collection[str]) -> dict[str, dict]:
    """Find the version of each study and the digest of its present code.

    Args:
        registered: Full names of the modules that count if a registry alone imports them.

    Returns:
        Study -> version and digest.
    """
    return {
        name: {"version": study.version, "digest": code_digest(study.evaluation.__module__, registered)[:16]}
        for name, study in sorted(STUDIES.items())
    }


def undecided() -> list[str]:
    """Decisions that the present code needs, in sentences. The list is empty if everything is accepted."""
    accepted = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    now = sources()
    changed = [
        f"{name} {'changed' if name in now else 'is gone'}. If images, labels or networks may change, raise "
        "the versions of the studies that use them in contrastlib/report/studies/records.py. Then, or if "
        f"they do not, run `{COMMAND}`."
        for name, digest in accepted["sources"].items()
        if now.get(name) != digest
    ]
    return differences(accepted["studies"], current(accepted["registered"])) + changed


def sources() -> dict[str, str]:
    """Find the digest of the present code of each module in ``SOURCES``.

    Returns:
        Full name of the module -> digest.
    """
    return {name: digest[:16] for package in SOURCES for name, digest in module_digests(package).items()}


def accept() -> None:
    """Write the versions and the digests of the present code, with all modules that are registered."""
    evaluations = {study.evaluation.__module__ for study in STUDIES.values()}
    registered = sorted(set().union(*map(registered_modules, evaluations)))
    kept = {"registered": registered, "studies": current(registered), "sources": sources()}
    ACCEPTED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def differences(accepted: Mapping[str, Mapping], now: Mapping[str, Mapping]) -> list[str]:
    """Decisions that are needed, in sentences. The list is empty if everything is accepted.

    Args:
        accepted: Study -> accepted version and digest.
        now: Study -> version and digest of the present code.

    Returns:
        One sentence for each study that differs.

    >>> print(*differences({"all": {"version": 1, "digest": "a"}}, {"all": {"version": 2, "digest": "b"}}))
    all has version 2, and version 1 is accepted: run `python -m contrastlib.report.studies.versions
    --accept`.
    """
    messages = []
    for name in sorted({*accepted, *now}):
        before, after = accepted.get(name), now.get(name)
        if before == after:
            continue
        if before is None or after is None:
            messages.append(f"{name} is {'new' if before is None else 'gone'}: run `{COMMAND}`.")
        elif before["version"] != after["version"]:
            messages.append(
                f"{name} has version {after['version']}, and version {before['version']} is accepted: run "
                f"`{COMMAND}`."
            )
        else:
            messages.append(
                f"The code of {name} changed, and its version is {after['version']} as before. If results "
                "may change, raise its version in contrastlib/report/studies/records.py. Then, or if they do "
                f"not, run `{COMMAND}`."
            )
    return messages


def main(arguments: list[str] | None = None) -> int:
    """Print the decisions that are needed, or accept the present code."""
    parser = argparse.ArgumentParser(
        prog="python -m contrastlib.report.studies.versions", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--accept", action="store_true", help="write the versions and the digests of the code as it is"
    )
    if parser.parse_args(arguments).accept:
        accept()
        return 0
    messages = undecided()
    print("\n".join(messages) or "The versions of all studies are those that were accepted.")
    return bool(messages)


if __name__ == "__main__":
    sys.exit(main())
