"""Figures and tables of the pages of the report.

Modules of one or two pages have functions that return a figure, a table, or a sentence in Markdown
(``..._in_words``). A table by scale is a mapping from the name of a scale to a table.

- 01_theory: :mod:`~contrastlib.report.figures.theory`
- 02_input_space: :mod:`~contrastlib.report.figures.input_space`
- 03_maps: :mod:`~contrastlib.report.figures.maps`, :mod:`~contrastlib.report.figures.map_images`
- 04_masking: :mod:`~contrastlib.report.figures.masking`, :mod:`~contrastlib.report.figures.masking_shares`
- 05_corrections: :mod:`~contrastlib.report.figures.corrections` for the errata 1 to 12,
  :mod:`~contrastlib.report.figures.correction_results` for open choices and the errata 18 to 40
- 06_three_classes: :mod:`~contrastlib.report.figures.three_classes`
- 07_dominance: :mod:`~contrastlib.report.figures.dominance`,
  :mod:`~contrastlib.report.figures.dominated_masking`
- 08_fullgrad: :mod:`~contrastlib.report.figures.fullgrad`
- 09_transformers: :mod:`~contrastlib.report.figures.transformers`
- 10_lrp: :mod:`~contrastlib.report.figures.lrp`, :mod:`~contrastlib.report.figures.lrp_maps`
- 11_explore: :mod:`~contrastlib.report.figures.explore`
- 13_cost: :mod:`~contrastlib.report.figures.cost`
- 14_interventions: :mod:`~contrastlib.report.figures.interventions`,
  :mod:`~contrastlib.report.figures.one_intervention`
- 15_one_family: :mod:`~contrastlib.report.figures.one_family`
- 16_controls: :mod:`~contrastlib.report.figures.control_maps`,
  :mod:`~contrastlib.report.figures.control_effects`
- 17_masking_errata: :mod:`~contrastlib.report.figures.masking_errata`
- 18_layers: :mod:`~contrastlib.report.figures.layers`, :mod:`~contrastlib.report.figures.overwritten`
- 19_pointing: :mod:`~contrastlib.report.figures.lrp_pointing`,
  :mod:`~contrastlib.report.figures.lrp_controls`
- 20_conservation: :mod:`~contrastlib.report.figures.lrp_conservation`,
  :mod:`~contrastlib.report.figures.lrp_entering`
- 21_scaling: :mod:`~contrastlib.report.figures.scaling`

Several pages use the others:

- :mod:`~contrastlib.report.figures.shared`: the layout of the papers, and intervals
- :mod:`~contrastlib.report.figures.correction_effects`: measured effects of corrections, in sentences
- :mod:`~contrastlib.report.figures.lrp_effects`: those of corrections of Gu et al. 2018
- :mod:`~contrastlib.report.figures.lrp_shared`: tables about LRP
- :mod:`~contrastlib.report.figures.specification`: an effect under every combination of choices
- :mod:`~contrastlib.report.figures.words`: words for readers in place of names of code
- :mod:`~contrastlib.report.figures.contrast_cells`: formula of a contrast, for tables
- :mod:`~contrastlib.report.figures.controls`: figures with controls
- :mod:`~contrastlib.report.figures.forest`: a forest plot as SVG
- :mod:`~contrastlib.report.figures.legible`: sizes of the texts
- :mod:`~contrastlib.report.figures.formats`: how a figure is stored in a notebook
"""

from contrastlib.report.figures import (
    control_effects,
    control_maps,
    correction_effects,
    correction_results,
    corrections,
    cost,
    dominance,
    dominated_masking,
    explore,
    formats,
    fullgrad,
    input_space,
    interventions,
    layers,
    lrp,
    lrp_conservation,
    lrp_controls,
    lrp_effects,
    lrp_entering,
    lrp_maps,
    lrp_pointing,
    lrp_shared,
    map_images,
    maps,
    masking,
    masking_errata,
    masking_shares,
    one_family,
    one_intervention,
    overwritten,
    scaling,
    specification,
    theory,
    three_classes,
    transformers,
)
from contrastlib.report.figures.controls import Controls
from contrastlib.report.figures.shared import (
    counts,
    credits,
    finished,
)

__all__ = [
    "Controls",
    "control_effects",
    "control_maps",
    "correction_effects",
    "correction_results",
    "corrections",
    "cost",
    "counts",
    "credits",
    "dominance",
    "dominated_masking",
    "explore",
    "finished",
    "formats",
    "fullgrad",
    "input_space",
    "interventions",
    "layers",
    "lrp",
    "lrp_conservation",
    "lrp_controls",
    "lrp_effects",
    "lrp_entering",
    "lrp_maps",
    "lrp_pointing",
    "lrp_shared",
    "map_images",
    "maps",
    "masking",
    "masking_errata",
    "masking_shares",
    "one_family",
    "one_intervention",
    "overwritten",
    "scaling",
    "specification",
    "theory",
    "three_classes",
    "transformers",
]  # fmt: skip

formats.use()
