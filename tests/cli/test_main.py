"""The command line as a whole."""

import shlex
import subprocess
import sys


def test_a_reader_that_has_had_enough_is_no_error():
    shell = f"set -o pipefail; {shlex.quote(sys.executable)} -m contrastlib data | head -n 1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
