"""Figures and tables in the layout of the papers, and functions that several pages use."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib import assets, models
from contrastlib.autograd import predict
from contrastlib.datasets import ImageSet
from contrastlib.plotting import clipped, overlay
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.figures.legible import legible
from contrastlib.report.figures.words import readable

PUBLISHED = Path(__file__).resolve().parents[3] / "data" / "published"
CONTRAST_ORDER = ("original", "mean", "maximum", "weighted")
SHORT = {
    "original": "ori.",
    "mean": "mean",
    "maximum": "max",
    "weighted": "wtd.",
    "linear_approximation": "LA",
    "gradcam": "GC",
    "xgradcam": "XC",
}


def published(table: str) -> pd.DataFrame:
    """Published numbers of a table in data/published.

    Args:
        table: "sign_perturbation", "blurring_masking" or "clrp_ablation".

    Returns:
        The table.

    >>> published("sign_perturbation")["network"].nunique()
    9
    """
    return pd.read_csv(PUBLISHED / f"{table}.csv")


def beside(
    ours: pd.DataFrame, published: Mapping[str, pd.DataFrame], scale: str, form: str = ".3f"
) -> Styler:
    """Published values, ours, and the differences, one below the other in the layout of the published table.

    Args:
        ours: Values in the rows and columns of the published table.
        published: Title of a paper -> its values.
        scale: Name of the scale of ours.
        form: Format of a value.

    Returns:
        The table. A cell that is not in both has no difference.

    >>> ours, theirs = (pd.DataFrame({"ori.": [value]}, ["GC"]) for value in (0.5, 0.75))
    >>> beside(ours, {"Gu et al. 2018": theirs}, "real").data["ori."].to_dict()
    {('GC', 'Gu et al. 2018'): 0.75, ('GC', 'ours, real'): 0.5, ('GC', 'ours − Gu et al. 2018'): -0.25}
    """
    differences = {f"ours − {paper}": ours - table for paper, table in published.items()}
    parts = {**published, f"ours, {scale}": ours, **differences}
    table = pd.concat(parts, names=["numbers of"])[list(ours)].dropna(how="all")
    table = table.reorder_levels([*range(1, table.index.nlevels), 0])
    keys = [key if isinstance(key, tuple) else (key,) for key in ours.index]
    table = table.loc[[row for key in keys for name in parts if (row := (*key, name)) in table.index]]
    signed = [row for row in table.index if row[-1] in differences]
    shown = table.style.format(f"{{:{form}}}", na_rep="–")
    return shown.format(f"{{:+{form}}}", subset=pd.IndexSlice[signed, :], na_rep="–")


def split_decisions(
    model: models.Classifier,
    images: ImageSet,
    threshold: float,
    candidates: Iterable[int] | None = None,
    count: int | None = None,
) -> Iterator[int]:
    """Images of a set, in order, whose second-highest probability is above the threshold.

    Args:
        model: The classifier.
        images: The data set.
        threshold: Threshold of the second-highest probability.
        candidates: Indices of the images in the order of the search. None for all.
        count: Largest number of images. None for all that there are.

    Returns:
        Iterator of indices of images.
    """

    def is_split(index: int) -> bool:
        return bool(predict(model, images[index].image[None]).softmax(1).topk(2).values[0, 1] > threshold)

    return islice(filter(is_split, range(len(images)) if candidates is None else candidates), count)


def together(measured: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of all scales in one, with a column ``scale``.

    >>> together({"quick": pd.DataFrame({"n": [1]}), "real": pd.DataFrame({"n": [2]})}).to_dict("list")
    {'scale': ['quick', 'real'], 'n': [1, 2]}
    """
    return pd.concat(measured, names=["scale"]).reset_index("scale")


def counts(measured: Mapping[str, pd.DataFrame]) -> str:
    """Number of images of each network at each scale, in words.

    Args:
        measured: Scale -> table with network and image.

    Returns:
        The words.

    >>> counts({"quick": pd.DataFrame({"network": ["birds_vgg", "birds_vgg"], "image": [0, 1]})})
    'quick: 2 (small VGG)'
    """
    parts = []
    for scale, table in measured.items():
        images = table.groupby("network", sort=False)["image"].nunique()
        parts.append(f"{scale}: " + ", ".join(f"{n} ({title(name)})" for name, n in images.items()))
    return "; ".join(parts)


def map_blocks(
    images: np.ndarray,
    maps: np.ndarray,
    row_titles: Sequence[str],
    classes: Sequence[Sequence[str]],
    alpha: float = 0.6,
    share: float = 1.0,
) -> Figure:
    """Figure 4 of Wang & Wang 2022: for each image the maps of its two most probable classes.

    Args:
        images: N images (N, H, W, 3) in [0, 1].
        maps: Maps (N, rows, 2, H, W), with one row for each method and contrast. 0 is drawn white.
        row_titles: Titles of the rows.
        classes: For each image the titles of its two columns.
        alpha: Opacity of the maps.
        share: Quantile of the absolute values of a map at which its colours end, see
            :func:`~contrastlib.plotting.clipped`.

    Returns:
        The figure.
    """
    count, rows = maps.shape[:2]
    figure, axes = plt.subplots(
        rows + 1,
        2 * count,
        figsize=(1.75 * 2 * count + 0.8, 1.75 * (rows + 1)),
        squeeze=False,
        layout="constrained",
    )
    for n in range(count):
        axes[0, 2 * n].imshow(images[n])
        axes[0, 2 * n + 1].set_axis_off()
        for k in range(2):
            for row in range(rows):
                ax = axes[row + 1, 2 * n + k]
                overlay(ax, images[n], clipped(maps[n, row, k], share), alpha)
                if row == 0:
                    ax.set_title(classes[n][k], fontsize=7, parse_math=False)
                if n == 0 and k == 0:
                    ax.set_ylabel(row_titles[row], fontsize=8)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    return figure


def answer(
    image: np.ndarray,
    heat: np.ndarray,
    names: Sequence[str],
    probabilities: Sequence[float],
    part: str | None = None,
    narrow: bool = False,
) -> Figure:
    """An image and the maps of its two most probable classes, from the logits and against the others.

    Args:
        image: Image (H, W, 3) in [0, 1].
        heat: Maps (2, 2, H, W), original and weighted, of the first and of the second class.
        names: Names of the two classes.
        probabilities: Their probabilities.
        part: Part in which the two differ, if known.
        narrow: Whether the image stands above its maps, as a telephone has room, and not beside them.

    Returns:
        The figure.
    """
    panels, size = ("AA;BC;DE", (3.4, 5.8)) if narrow else ("ABCDE", (8.4, 2.4))
    figure, named = plt.subplot_mosaic(panels, figsize=size, layout="constrained")
    axes = list(named.values())
    axes[0].imshow(image)
    question = f"{names[0]} ({probabilities[0]:.2f})\nor {names[1]} ({probabilities[1]:.2f})?"
    axes[0].set_title(question, fontsize=7.5, parse_math=False)
    if part:
        axes[0].set_xlabel(f"they differ in: {part}", fontsize=9)
    for k, ax in enumerate(axes[1:]):
        contrast, rank = divmod(k, 2)
        overlay(ax, image, heat[contrast, rank])
        ax.set_title(names[rank], fontsize=9, parse_math=False)
        ax.set_xlabel("from the logit" if contrast == 0 else "against the others", fontsize=9)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    return figure


def mean_lines(table: pd.DataFrame, x: str, y: str, ax: plt.Axes, legend: bool) -> None:
    """Draw the mean of ``y`` at each ``x`` with 95 % intervals, one line for each value of "line".

    Args:
        table: A row for each image and setting, with a column ``line``.
        x: Column of the horizontal axis.
        y: Column whose mean is drawn.
        ax: Axes to draw on.
        legend: Whether a legend is drawn.
    """
    sns.lineplot(
        table,
        x=x,
        y=y,
        hue="line",
        ax=ax,
        marker="o",
        markersize=4,
        errorbar=("ci", 95),
        n_boot=200,
        seed=0,
        legend=legend,
    )


def finished(figure: Figure) -> Figure:
    """Close a figure in pyplot, so that a notebook shows it once, as the value of its cell.

    Its texts are made large enough to be read on a page.

    >>> figure = finished(plt.figure())
    >>> figure.number in plt.get_fignums()
    False
    """
    plt.close(figure)
    return legible(figure)


def maker(name: str) -> str:
    """Description, author and licence of a photograph.

    >>> maker("chelsea.png")
    'a cat, Chelsea, by Stefan van der Walt (CC0)'
    """
    photo = assets.file(name)
    return f"{photo.what}, by {photo.credit} ({photo.licence})"


def credits(*names: str) -> HTML:
    """A line that names the authors of photographs.

    >>> credits("chelsea.png").data
    '<p class="credits">Photograph: a cat, Chelsea, by Stefan van der Walt (CC0). With scikit-image.</p>'
    """
    what = "Photograph" if len(names) == 1 else "Photographs"
    return HTML(
        f'<p class="credits">{what}: {html.escape("; ".join(map(maker, names)))}. With scikit-image.</p>'
    )


def files_of(*names: str) -> tuple[str, ...]:
    """Files of networks and data sets, each once, in the order of the names.

    Args:
        *names: Names of networks and data sets.

    Returns:
        Names of the files, as :func:`left_out` takes them.

    >>> files_of("zebra-elephant", "squeezenet1_1")
    ('clrp_zebra_elephant.zip', 'squeezenet1_1_imagenet_fp16.safetensors')
    """
    records = assets.networks() | assets.datasets()
    return tuple(dict.fromkeys(file for name in names for file in records[name].files))


def left_out(what: str, *names: str) -> HTML:
    """A folded note that replaces a figure whose files are missing, with their names and instructions.

    >>> print(left_out("Zebras", "clrp_zebra_elephant.zip").data)
    <details class="left-out"><summary>Zebras: not part of this build</summary><p>...</p></details>
    """
    wanted = ", ".join(f"<code>{name}</code>" for name in names)
    return HTML(
        f'<details class="left-out"><summary>{html.escape(what)}: not part of this build</summary>'
        f"<p>Made where {wanted} "
        "are present, which are not ours to pass on. <code>python -m contrastlib data</code> says where "
        "each comes from "
        "and where to put it.</p></details>"
    )


def intervals(rows: pd.DataFrame, form: str = "+.3f") -> pd.Series:
    r"""Format the columns mean, low and high of each row as one cell of a table.

    >>> rows = pd.DataFrame({"mean": [0.1], "low": [-0.1], "high": [0.25]})
    >>> intervals(rows, "+.2f").item().replace("\xa0", " ")
    '+0.10 [-0.10, +0.25]'
    """
    texts = [
        f"{m:{form}} [{a:{form}},\N{NO-BREAK SPACE}{b:{form}}]"
        for m, a, b in rows[["mean", "low", "high"]].to_numpy()
    ]
    return pd.Series(texts, index=rows.index, dtype=object)


def masking_table(cells: pd.DataFrame, value: str = "relative_probability") -> pd.DataFrame:
    """Table 1 of both papers: rows dataset, method and t_i; columns baseline, kept sign and contrast.

    Args:
        cells: A table with dataset, method, target ("t1", "t2"), baseline, kept_sign ("positive",
            "negative"), contrast, value, and optionally before, the value of the unmasked images, which is
            shown in the first column.
        value: Name of the column with the values.

    Returns:
        The table.
    """
    row = ["dataset", "method", "target"]
    titles = {"positive": "Pos. features", "negative": "Neg. features"}
    cells = cells.assign(
        method=cells["method"].replace(SHORT),
        contrast=cells["contrast"].replace(SHORT),
        kept_sign=cells["kept_sign"].map(titles),
    )
    wide = cells.pivot(index=row, columns=["baseline", "kept_sign", "contrast"], values=value)
    contrasts = [SHORT[c] for c in CONTRAST_ORDER if SHORT[c] in set(cells["contrast"])]
    columns = pd.MultiIndex.from_product([cells["baseline"].unique(), titles.values(), contrasts])
    table = wide.loc[pd.MultiIndex.from_frame(cells[row].drop_duplicates()), columns]
    if "before" in cells:
        table.insert(0, ("Unmasked", "", "p"), cells.groupby(row)["before"].first())
    return readable(table)
