"""``python tests/fuzz --inputs 10000``: the fuzz suite by hand, with as many random inputs as asked for.

It prints the progress, and writes the counts and where they were made to ``data/results/fuzz.json``.
"""

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def main():
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__.partition("\n\n")[0])
    parser.add_argument(
        "--inputs", type=int, default=10_000, help="random inputs of all tests together (default: 10000)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=random.randrange(2**32),
        help="of the inputs (default: another one each time)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "data" / "results" / "fuzz.json",
        help="where the counts are written",
    )
    arguments = parser.parse_args()
    if arguments.inputs < 1:
        parser.error(f"argument --inputs: {arguments.inputs} is not a positive whole number")
    os.environ["CONTRASTLIB_FUZZ_INPUTS"] = str(arguments.inputs)
    print(f"{arguments.inputs:,} inputs, seed {arguments.seed}", flush=True)
    began = time.monotonic()
    folder = str(Path(__file__).parent)
    status = pytest.main(
        [
            "-v",
            "-s",
            "-p",
            "no:cacheprovider",
            f"--hypothesis-seed={arguments.seed}",
            f"--rootdir={ROOT}",
            folder,
        ]
    )

    from outcomes import COUNTS, record

    print(f"\n{COUNTS.total():,} inputs:")
    for (kind, name), count in sorted(COUNTS.items()):
        print(f"{count:7,}  {kind}: {name}")
    if status != pytest.ExitCode.OK:
        print(f"Nothing is written: a fault was found. Again with --seed {arguments.seed}.", file=sys.stderr)
        return int(status)
    text = json.dumps(record(arguments.seed, time.monotonic() - began), indent=1, ensure_ascii=False)
    arguments.output.write_text(text + "\n", encoding="utf-8")
    print(f"The counts are in {arguments.output}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
