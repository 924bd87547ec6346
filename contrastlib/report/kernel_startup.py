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

    KIND is ``read``, ``write``, ``list`` (the names in a folder) or ``look`` (does it exist? how large is it?),
    each path once for each kind. Forked processes are watched as well.

    Files opened by compiled libraries (safetensors, Arrow) do not pass through Python; they are seen because
    somebody looked first whether they exist.
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
        elif event in ("os.listdir", "os.scandir"):
            note("list", arguments[0])
        elif event == "os.rename":
            note("write", arguments[1])

    stat = os.stat

    def noted_stat(path, *args, **options):
        note("look", path)
        return stat(path, *args, **options)

    # looking for a file raises no audit event, and an absent file is something a notebook can depend on
    os.stat = noted_stat
    for supports in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if stat in supports:
            supports.add(noted_stat)
    sys.addaudithook(hook)
