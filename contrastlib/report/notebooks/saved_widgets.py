"""Saved notebooks without the state of widgets that bring a static image.

JupyterLab saves the state of widgets if its user says so. nbconvert then shows the widget and not the image
beside it, for which the page asks another host for scripts: without a connection it has a blank. A notebook
that :func:`contrastlib.report.lab.working_copy.prepare` opened is saved without that state.

JupyterLab's server imports this module, which imports nothing large.
"""

from __future__ import annotations

import json
import re
from typing import Any

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
REFERENCE = re.compile(r'"IPY_MODEL_(\w+)"')


def keep_static_images(model: dict[str, Any], **_: Any) -> None:
    """Remove from a notebook that is about to be saved the state of widgets with a static image.

    Other widgets keep theirs, and the models that it refers to.

    Args:
        model: The file, in Jupyter's contents protocol.
        **_: Other arguments of a ``pre_save_hook`` of Jupyter's contents manager.
    """
    if model.get("type") != "notebook" or not model.get("content"):
        return
    metadata = model["content"]["metadata"]
    saved = metadata.get("widgets", {}).get(STATE, {}).get("state")
    if saved is None:
        return
    outputs = [output for cell in model["content"]["cells"] for output in cell.get("outputs", [])]
    data = [output["data"] for output in outputs if VIEW in output.get("data", {})]
    kept = _reachable(saved, [each[VIEW]["model_id"] for each in data if "text/html" not in each])
    if kept:
        metadata["widgets"][STATE]["state"] = kept
    else:
        del metadata["widgets"]


def _reachable(state: dict[str, Any], models: list[str]) -> dict[str, Any]:
    """The state of these models, and of those that it refers to."""
    found: dict[str, Any] = {}
    waiting = list(models)
    while waiting:
        name = waiting.pop()
        if name in state and name not in found:
            found[name] = state[name]
            waiting += REFERENCE.findall(json.dumps(state[name]))
    return found
