"""The explorer's JavaScript modules as one text."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
MODULES = ("arithmetic.js", "drawing.js", "state.js", "snippets.js", "view.js", "explorer.js", "main.js")
"""each imports from those before it only"""

_IMPORT = re.compile(r"^import\s[^;]*?\sfrom\s+[\"']\./[\w.]+[\"'];[ \t]*\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(async )?function|class|const|let)", re.MULTILINE)


def bundle(export: bool = False, folder: Path = FOLDER) -> str:
    """All modules one after the other, without the imports of each other and the exports.

    Args:
        export: end in what anywidget asks for, ``export default { render }``; else it is a plain script.
        folder: where the modules are.

    Raises:
        ValueError: a module imports what is none of the others, or would end the script element of a page.
    """
    modules = [(folder / name).read_text(encoding="utf-8") for name in MODULES]
    text = "".join(_EXPORT.sub("", _IMPORT.sub("", module)) for module in modules)
    left = re.search(r"^(import|export)\b.*", text, re.MULTILINE)
    if left:
        raise ValueError(
            f"{left.group()!r} cannot be bundled: import from the modules beside, and export declarations"
        )
    if "</script" in text.lower():
        raise ValueError("the modules hold </script, which would end the script in a page: write <\\/script")
    return text + ("export default { render };\n" if export else "")


def style(folder: Path = FOLDER) -> str:
    """The style sheet."""
    return (folder / "explorer.css").read_text(encoding="utf-8")
