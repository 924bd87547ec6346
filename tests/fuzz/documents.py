"""Random YAML: documents as profiles, and values of parameters."""

import datetime

import yaml
from hypothesis import strategies as st

NAMES = [
    "all", "01_theory", "03_maps", "profile", "network", "networks", "dataset", "steps", "threshold",
    "resamples", "pictures", "", "birds_vgg", "birds", "imagenet-sample", "mobilenet_v2", "vit_b_16/food101",
    "torchvision/vgg16", "birds_vit", "cifar10_vit",
]  # fmt: skip
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(NAMES),
    st.dates().map(lambda day: datetime.date(day.year, day.month, day.day)),
    st.binary(max_size=3),
    st.sampled_from([0, 1, 300, 0.1, 10**40]),
)
keys = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), scalars)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
networks = st.dictionaries(
    st.sampled_from(NAMES) | scalars, st.lists(values, max_size=3) | values, max_size=3
)
profiles = st.dictionaries(keys, st.dictionaries(keys, networks | values, max_size=3) | values, max_size=3)
FRAGMENTS = [
    "{", "}", "[", "]", ": ", "- ", "&a ", "*a", "!!set ", "!!python/object:os.system ", "!!binary ",
    "!!timestamp ", "<<: ", "? ", "| ", "> ", "'", '"', "#", "%YAML 1.2\n", "---\n", "...\n", "\t", "\n",
    "\n  ", "2026-13-45", "0o8", "1e999", "@", "`", "\ufeff", "\x85", "all:", "01_theory:", "  steps: 3", "x",
    "!!int x", "!!float x", "!!omap [a]", "!!pairs x", "!foo ", "=", "~", "{" * 500, "[" * 2000,
]  # fmt: skip


@st.composite
def damaged(draw, texts):
    """A text of YAML with pieces put in and cut out."""
    text = draw(texts)
    for _ in range(draw(st.integers(0, 3))):
        place, cut = draw(st.integers(0, len(text))), draw(st.integers(0, 3))
        text = text[:place] + draw(st.sampled_from(FRAGMENTS)) + text[place + cut :]
    return text


def written(made):
    """YAML of values, in one of its styles."""
    return st.builds(
        lambda value, flow: yaml.dump(value, default_flow_style=flow, allow_unicode=True), made, st.booleans()
    )


profile_texts = st.one_of(
    damaged(written(profiles)),
    written(profiles),
    st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join),
)
profile_files = st.one_of(
    profile_texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=12),
    profile_texts.map(lambda text: text.encode("utf-16", "surrogatepass")),
)
value_texts = damaged(written(values | networks)) | st.sampled_from(FRAGMENTS)
