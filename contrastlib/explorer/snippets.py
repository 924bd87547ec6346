"""Python code that computes a map of the explorer. ``snippets.js`` fills the same templates."""

from __future__ import annotations

from contrastlib.explainers import EXPLAINERS
from contrastlib.explorer.arithmetic import INTERACTIVE, shares

IMPORTS = "import torch, contrastlib, contrastlib.datasets, contrastlib.models"

MASKING = {
    sign: f"""\
masks = contrastlib.explainers.upsample(maps, image.shape[-2:]) {cut} 0
from contrastlib.evaluation.masking import relative_after
p = relative_after(network, image[None], masks, range({{classes}}), '{{fill}}')  # before, after"""
    for sign, cut in (("positive", "<="), ("negative", ">="))
}
"""Code for the probabilities of all classes before and after masking, by the sign that is kept."""
_POOL = "maps = torch.nn.functional.avg_pool2d(maps, {pooled}, divisor_override=1)"
_CLRP1 = f"""\
from contrastlib.contrasts import cotangent
from contrastlib.explainers.lrp import lrp
start = lambda y: y[:, [{{target}}]].abs() * cotangent({{contrast}}, logits=y, target={{target}})
maps = lrp(network, image[None], start)
{_POOL.replace("(maps,", "(maps.sum(dim=1),")}.clamp(min=0)"""


def template(method: str) -> str:
    """Return the code of a method, with the placeholders {target}, {contrast}, {layer} and {pooled}.

    {contrast} stands for a quoted name, with foils where it needs them, or for a variable that holds weights.

    Args:
        method: Name of the method.

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


def snippet(header: dict, picture: dict, pane: dict, state: dict) -> str:
    """Return the code that computes the map of a pane as ``maps`` (1, H, W).

    If the picture is masked, the code also computes the probabilities before and after as ``p``.

    Args:
        header: The explorer's header.
        picture: Account of the picture in the header.
        pane: The pane in the explorer's state.
        state: The explorer's state.
    """
    view, network = picture["views"][pane["network"]], header["networks"][pane["network"]]
    entry = next(e for e in view["maps"] if (e["method"], e["layer"]) == (pane["method"], pane["layer"]))
    lines, contrast = _contrast(view, pane)
    call = header["methods"][pane["method"]]["code"]
    for field, value in {
        "target": view["classes"][pane["rank"]]["index"],
        "layer": pane["layer"],
        "pooled": entry.get("pooled"),
        "contrast": contrast,
    }.items():
        call = call.replace(f"{{{field}}}", str(value))
    code = picture["code"].replace("{size}", str(network["size"]))
    masking = []
    if state["keep"] != "all":
        fill = header["fills"][state["fill"]]
        masking = [header["masking"][state["keep"]].format(fill=fill, classes=network["classes"])]
    return "\n".join([IMPORTS, network["code"], code, *lines, call, *masking])


def _contrast(view: dict, pane: dict) -> tuple[list[str], str]:
    """Return lines that define the contrast, and the expression for it."""
    listed = [each["index"] for each in view["classes"]]
    if pane["contrast"] not in INTERACTIVE:
        return [], repr(pane["contrast"])
    if pane["contrast"] == "among" and len(listed) not in pane["foils"]:
        return [], f"'among', foils={[listed[rank] for rank in pane['foils']]}"
    share = shares(view, pane).tolist()
    lines = [
        "y = contrastlib.autograd.predict(network, image[None])",
        "w = torch.zeros_like(y)",
        f"w[0, {listed[pane['rank']]}] = 1",
        *(f"w[0, {index}] = {-part}" for index, part in zip(listed, share) if part),
    ]
    if share[-1]:
        lines += [
            f"others = y.index_fill(1, torch.tensor({listed}), -torch.inf)",
            f"w -= {share[-1]} * others.softmax(dim=1)",
        ]
    return lines, "w"
