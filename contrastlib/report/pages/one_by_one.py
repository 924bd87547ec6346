"""A section for each method or contrast, from their records, for the directive ``one-by-one``.

In a page written in Markdown::

    ```{one-by-one} methods
    ```
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from contrastlib import contrasts
from contrastlib.explainers import Explainer, registry
from contrastlib.report.figures.contrast_cells import sum_of_weights
from contrastlib.report.pages.titles import titles

PAGES = {
    "gradcam": "03_maps",
    "linear_approximation": "03_maps",
    "xgradcam": "03_maps",
    "gradient": "07_dominance",
    "input_x_gradient": "01_theory",
    "integrated_gradients": "01_theory",
    "deeplift": "20_conservation",
    "fullgrad": "08_fullgrad",
    "guided_backpropagation": "10_lrp",
    "lrp": "10_lrp",
    "sglrp": "10_lrp",
    "clrp1": "10_lrp",
    "clrp2": "10_lrp",
    "vit_gradcam": "09_transformers",
    "gradient_attention_rollout": "09_transformers",
    "attention_x_gradient": "09_transformers",
    "class_competition": "15_one_family",
}
"""Method -> notebook that measures it. Methods without one are left out."""


class OneByOne(SphinxDirective):
    """Sections of all methods or contrasts. The argument says of which."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the sections. Called by Sphinx."""
        if self.arguments[0] == "methods":
            sections = map(method, registry.EXPLAINERS.values())
        else:
            sections = map(contrast, contrasts.CONTRASTS.values())
        return self.parse_text_to_nodes("\n\n".join(sections), allow_section_headings=True)


def heading(record: Explainer | contrasts.Contrast) -> str:
    """Title of a record, with its name where the search could not tell the name from the title.

    >>> heading(registry.EXPLAINERS["gradcam"]), heading(registry.EXPLAINERS["class_competition"])
    ('GradCAM', 'VAR (`class_competition`)')
    """
    title, name = (re.sub(r"_x_|[^a-z]+", "", text.lower()) for text in (record.title, record.name))
    return record.title if title.startswith(name) else f"{record.title} (`{record.name}`)"


def method(record: Explainer) -> str:
    """Section of a method in Markdown.

    >>> print(method(registry.EXPLAINERS["gradcam"]))
    ## GradCAM
    <BLANKLINE>
    `method="gradcam"`. Each channel of a layer, weighted by its mean gradient.
    ...
    """
    if record.linear:
        linear = "It is linear in $w$, so maps of contrasts are sums of maps of logits."
    elif record.contrast:
        linear = "It takes any contrast and is not linear in $w$."
    else:
        linear = "It defines what it sets against the class itself, and takes no contrast."
    source = f"{{cite:t}}`{record.paper}`" + f", {record.equation}" * bool(record.equation)
    function = f"{{py:func}}`{record.function.__module__}.{record.function.__name__}`"
    notebook = PAGES.get(record.name)
    measured = f"Measured in [{titles()[notebook]}](executed/{notebook}.ipynb). " if notebook else ""
    return f"""## {heading(record)}

`method="{record.name}"`. {record.about}

$$
{record.formula}
$$

- Source: {source}.
- Cost: {record.cost}. {linear}
- {measured}Reference: {function}.
"""


def contrast(record: contrasts.Contrast) -> str:
    """Section of a contrast in Markdown.

    >>> print(contrast(contrasts.CONTRASTS["original"]))
    ## original
    <BLANKLINE>
    `contrast="original"`: the logit alone, against nothing. It answers: *What raises the logit of $t$?*
    ...
    """
    symbols = {"target": "$t$", "rival": "$s^*$", "others": "together $1 - p_t$", "foils": "$S$"}
    total = sum_of_weights(record)
    left_out = ", so what raises all logits alike is left out" if total == "0" else ""
    return f"""## {heading(record)}

`contrast="{record.name}"`: {record.about}. It answers: *{record.question.format(**symbols)}*

$$
w = {record.formula}
$$

- Source: {{cite:t}}`{record.paper}`, {record.equation}.
- The sum of the weights is {total}{left_out}.
- Reference: {{py:func}}`{record.function.__module__}.{record.function.__name__}`.
"""
