"""What every kernel that ``contrastlib run`` starts does before anything else; standard library only."""

import os
import sys


def prepare(log, folders):
    """Watch what this process reads, and let progress bars write to the terminal instead of the notebook."""
    watch(log, folders)
    import tqdm
    import tqdm.auto

    tqdm.auto.tqdm = tqdm.tqdm


def watch(log, folders):
    """Append a line ``KIND PATH`` to ``log`` for every path under ``folders`` that this process touches.

    KIND is ``read``, ``write`` or ``list`` (the names in a folder), each path once for each kind. Forked processes
    are watched as well.

    Everything is learned from audit events. Python raises them when it opens a file, also one that is not there, and
    when it lists a folder. It raises none when it only asks whether a file exists, and none for what compiled
    libraries open (safetensors, Arrow): code of contrastlib that does so raises the event ``contrastlib.file`` with
    the path, which counts as reading it.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    folders = tuple(os.path.join(os.path.abspath(folder), "") for folder in folders)
    seen = set()

    def note(kind, path):
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # an open file
        path = os.path.abspath(os.fsdecode(path))
        if (path + os.sep).startswith(folders) and (kind, path) not in seen:
            seen.add((kind, path))
            os.write(descriptor, f"{kind} {path}\n".encode())

    def hook(event, arguments):
        if event == "open":
            note("write" if arguments[2] & (os.O_WRONLY | os.O_RDWR) else "read", arguments[0])
        elif event == "contrastlib.file":
            note("read", arguments[0])
        elif event in ("os.listdir", "os.scandir"):
            note("list", arguments[0])
        elif event == "os.rename":
            note("write", arguments[1])

    sys.addaudithook(hook)
