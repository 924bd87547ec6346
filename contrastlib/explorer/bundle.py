"""The JavaScript modules of the explorer, concatenated to one script."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
"""Folder of the modules and the style sheet."""
MODULES = (
    "arithmetic.js",
    "drawing.js",
    "elements.js",
    "masking.js",
    "state.js",
    "snippets.js",
    "data.js",
    "pointer.js",
    "tabs.js",
    "view.js",
    "words.js",
    "controls.js",
    "explorer.js",
    "main.js",
)
"""The modules. Each imports only from those before it."""

_IMPORT = re.compile(r"^import\s[^;]*?\sfrom\s+[\"']\./[\w.]+[\"'];[ \t]*\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(async )?function|class|const|let)", re.MULTILINE)


def bundle(export: bool = False, folder: Path = FOLDER) -> str:
    """Concatenate the modules, without their imports of each other and without their exports.

    Args:
        export: Whether to end with ``export default { render }``, as anywidget requires.
        folder: Folder of the modules.

    Returns:
        The script.

    Raises:
        ValueError: A module imports something else, or holds text that would end the script element of a
            page.
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
    """Return the style sheet."""
    return (folder / "explorer.css").read_text(encoding="utf-8")
