"""Lines of Python that give a map of the explorer: templates, filled here and by snippets.js."""

from __future__ import annotations

from contrastlib.explainers import EXPLAINERS
from contrastlib.explorer.arithmetic import INTERACTIVE, shares

IMPORTS = "import torch, contrastlib, contrastlib.datasets, contrastlib.models"

_POOL = "maps = torch.nn.functional.avg_pool2d(maps, {pooled}, divisor_override=1)"
_CLRP1 = f"""\
from contrastlib.contrasts import cotangent
from contrastlib.explainers.lrp import lrp
start = lambda y: y[:, [{{target}}]].abs() * cotangent({{contrast}}, logits=y, target={{target}})
maps = lrp(network, image[None], start)
{_POOL.replace("(maps,", "(maps.sum(dim=1),")}.clamp(min=0)"""


def template(method: str) -> str:
    """The lines of a method, with {target}, {contrast}, {layer} and {pooled} to be filled in.

    {contrast} is a name in quotes, followed by foils where it has some, or a variable that holds weights.

    >>> template("gradcam")
    "maps = contrastlib.explain(network, image[None], {target}, 'gradcam', {contrast}, layer='{layer}')"
    """
    if method == "clrp1":
        return _CLRP1
    record = EXPLAINERS[method]
    of_pixels = record.space == "pixels"
    layer = ", layer='{layer}'" if record.takes_layer and not of_pixels else ""
    call = f"maps = contrastlib.explain(network, image[None], {{target}}, {method!r}, {{contrast}}{layer})"
    return f"{call}\n{_POOL}" if of_pixels else call


def snippet(header: dict, picture: dict, pane: dict) -> str:
    """The lines that give the map of a pane, ``maps`` (1, H, W)."""
    view, network = picture["views"][pane["network"]], header["networks"][pane["network"]]
    entry = next(e for e in view["maps"] if (e["method"], e["layer"]) == (pane["method"], pane["layer"]))
    lines, contrast = _contrast(view, pane)
    call = header["methods"][pane["method"]]["code"]
    for field, value in {"target": view["classes"][pane["rank"]]["index"], "layer": pane["layer"],
                         "pooled": entry.get("pooled"), "contrast": contrast}.items():
        call = call.replace(f"{{{field}}}", str(value))
    code = picture["code"].replace("{size}", str(network["size"]))
    return "\n".join([IMPORTS, network["code"], code, *lines, call])


def _contrast(view: dict, pane: dict) -> tuple[list[str], str]:
    """The contrast as an argument, after the lines that it needs."""
    listed = [each["index"] for each in view["classes"]]
    if pane["contrast"] not in INTERACTIVE:
        return [], repr(pane["contrast"])
    if pane["contrast"] == "among" and len(listed) not in pane["foils"]:
        return [], f"'among', foils={[listed[rank] for rank in pane['foils']]}"
    share = shares(view, pane).tolist()
    lines = ["y = contrastlib.autograd.predict(network, image[None])", "w = torch.zeros_like(y)",
             f"w[0, {listed[pane['rank']]}] = 1",
             *(f"w[0, {index}] = {-part}" for index, part in zip(listed, share) if part)]
    if share[-1]:
        lines += [f"others = y.index_fill(1, torch.tensor({listed}), -torch.inf)",
                  f"w -= {share[-1]} * others.softmax(dim=1)"]
    return lines, "w"
