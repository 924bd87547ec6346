"""Tables of 20_conservation about the relevance that enters LRP."""

from __future__ import annotations

from pandas.io.formats.style import Styler

from contrastlib.report.figures.lrp_shared import Tables, named, where_measured
from contrastlib.report.figures.shared import together

RELEVANCES = {"lrp": "yₜ eₜ (LRP)", "sglrp": "∂pₜ/∂y (SGLRP)", "weighted": "w · y (weighted)"}
RULES = {
    "z": "z, biases in the denominators",
    "z, biases bypassed": "z, biases bypassed",
    "epsilon": "ε, biases in the denominators",
    "z_plus": "z+, biases bypassed",
    "alpha 2, beta 1": "α 2, β 1, biases bypassed",
}
COLUMNS = {
    "probability": ("input × gradient of pₜ", ("lrp", "sglrp", "weighted")),
    "relevance over logits": ("input × gradient of y, weights r / y", ("sglrp",)),
    "LRP, either sign": ("LRP's map, either sign", ("sglrp", "weighted")),
}
"""What the map is compared with -> title, and the relevances whose maps are. For the others it is trivial, or
the same as in another column."""


@where_measured
def products(measured: Tables) -> Styler:
    """Mean (least) cosines with products of input and gradient, and with LRP's map, by rule and relevance.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.relevance_entering.compare`, of one or more
            networks.

    Returns:
        The formatted table, over images and both classes.
    """
    by = ["network", "rules", "compared_with", "relevance"]
    found = together(measured).groupby(by, sort=False)["similarity"].agg(["mean", "min"])
    text = found["mean"].map("{:.4f}".format) + " (" + found["min"].map("{:.2f}".format) + ")"
    chosen = [(key, name) for key, (_, names) in COLUMNS.items() for name in names]
    wide = text.unstack(["compared_with", "relevance"])[chosen]
    wide = wide.rename(columns={key: shown for key, (shown, _) in COLUMNS.items()}, level="compared_with")
    wide = wide.rename(columns=RELEVANCES, level="relevance").rename(index=RULES, level="rules")
    wide = wide.rename_axis(columns={"compared_with": "compared with"})
    return named(wide, 0).style.set_uuid("entering")


def in_words(measured: Tables) -> str:
    """Mean and least cosine of both relevances with input x gradient of p_t under the z rule, in Markdown.

    Args:
        measured: As in :func:`products`.

    Returns:
        A sentence for each scale.
    """
    sentences = []
    for scale, table in measured.items():
        rows = table[(table["rules"] == "z") & (table["compared_with"] == "probability")]
        found = rows.groupby(["relevance", "network"], sort=False)["similarity"].agg(["mean", "min"])
        weighted, sglrp = (found.loc[name] for name in ("weighted", "sglrp"))
        sentences.append(
            f"Under the $z$ rule ({scale}) the cosine of $w_s y_s$ is at least "
            f"{weighted['min'].min():.10f} in every network. That of SGLRP's relevance is "
            f"{sglrp['mean'].min():.2f} to {sglrp['mean'].max():.2f} in the mean of a network, and "
            f"{sglrp['min'].min():.2f} at least."
        )
    return "\n\n".join(sentences)
