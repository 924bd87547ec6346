"""Random explorers: headers, states, addresses; and whether a state is one of a header's."""

from urllib.parse import quote

from hypothesis import strategies as st

from contrastlib._choices import DEFAULT_CONTRAST
from contrastlib.contrasts import CONTRASTS
from contrastlib.explorer.arithmetic import INTERACTIVE, pictures_of
from contrastlib.explorer.initial_state import FIELDS, KNOWN

FIXED = [name for name, record in CONTRASTS.items() if record.is_of_one_class and not record.takes_foils]
names = st.one_of(
    st.sampled_from([
        "birds_vgg", "torchvision/vgg16_bn", "my, net", "%2C", "a&b=c", "#?", "100%", "ü🐦", "__proto__",
        "constructor", "0",
    ]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
)  # fmt: skip


@st.composite
def views(draw):
    """What one network sees in a picture."""
    count = draw(st.integers(2, 4))
    maps = draw(st.lists(st.fixed_dictionaries({
        "method": st.sampled_from(["gradcam", "lrp"]) | names, "layer": names,
        "kind": st.sampled_from(["linear", "scored", "relevance", "table"]),
    }), min_size=1, max_size=3, unique_by=lambda entry: (entry["method"], entry["layer"])))  # fmt: skip
    return {
        "classes": [{"index": index, "name": "c", "logit": float(-index)} for index in range(count)],
        "rest": draw(st.sampled_from([None, {"count": 5, "logit": -9.0, "rows": 1}])),
        "weights": {
            name: [] for name in [DEFAULT_CONTRAST, *draw(st.lists(st.sampled_from(FIXED), max_size=3))]
        },
        "maps": maps,
    }


@st.composite
def headers(draw):
    """What the browser needs to know of an explorer."""
    networks = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    pictures = draw(st.lists(st.fixed_dictionaries(dict.fromkeys(networks, views())), min_size=1, max_size=2))
    return {"default_contrast": DEFAULT_CONTRAST, "pictures": [{"views": each} for each in pictures]}


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.floats(),
    names,
    st.text(max_size=3),
    st.lists(st.integers(-1, 5), max_size=5),
    st.lists(st.floats(-1, 1), max_size=5),
    st.sampled_from([1e400, -1e400, 10**400, {}, {"a": 1}, [[0]], ["a"], [None]]),
)


@st.composite
def presets(draw, header):
    """A preset of a pane: fields that fit, that do not, or that are none."""
    views = header["pictures"][0]["views"]
    network = draw(st.sampled_from(list(views)))
    view = views[network]
    entry, count = draw(st.sampled_from(view["maps"])), len(view["classes"])
    rank = draw(st.integers(0, count - 1))
    contrast = draw(st.sampled_from([*view["weights"], *INTERACTIVE]))
    preset = {
        "network": network,
        "method": entry["method"],
        "layer": entry["layer"],
        "rank": rank,
        "contrast": contrast,
    }
    if contrast == "among":
        preset["foils"] = draw(st.lists(st.integers(0, count), min_size=1, max_size=3))
    if contrast == "own":
        preset["weights"] = draw(
            st.lists(
                st.floats(0, 1) | st.sampled_from([1e308, 5e-324, 0]), min_size=count + 1, max_size=count + 1
            )
        )
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=2)):
        preset.pop(field, None)
    if draw(st.integers(0, 3)) == 3:
        preset[draw(st.sampled_from([*FIELDS, "colour", 3]))] = draw(anything)
    return preset


view_presets = st.one_of(
    st.none(), st.fixed_dictionaries({}, optional={
        "opacity": st.floats(0, 1) | anything,
        "other": st.sampled_from([None, 0, 1, 2]) | anything,
        **{field: st.sampled_from(known) | anything for field, known in KNOWN.items()},
        "x": anything,
    }),
)  # fmt: skip


@st.composite
def hashes(draw, header):
    """Addresses: of this explorer or of something else, whole or damaged."""
    view = draw(st.sampled_from(list(header["pictures"][0]["views"].values())))
    words = st.one_of(
        st.sampled_from([
            *header["pictures"][0]["views"],
            *(entry["layer"] for entry in view["maps"]),
            *(entry["method"] for entry in view["maps"]),
            *view["weights"],
            *INTERACTIVE,
        ]),
        st.integers(-2, 9).map(str), st.floats().map(str), st.text(max_size=3),
        st.sampled_from([
            "%", "%zz", "%E0%A4%A", "Infinity", "NaN", "1e999", "-0", "0x10", "", " ", "null", "__proto__",
            "constructor", "%2C", "0,1", "1,0", "1,1", "0,",
        ]),
    )  # fmt: skip
    numbers = st.one_of(
        st.floats(0, 1).map(str),
        st.integers(0, 4).map(str),
        st.sampled_from(["1e308", "5e-324", "Infinity", "-1", "NaN", "", "1e400"]),
    )
    right = st.tuples(
        st.sampled_from(list(header["pictures"][0]["views"])),
        st.sampled_from([entry["method"] for entry in view["maps"]]),
        st.sampled_from([entry["layer"] for entry in view["maps"]]),
        st.integers(0, 3).map(str),
        st.sampled_from([*view["weights"], *INTERACTIVE]),
    )
    extra = st.lists(
        numbers, min_size=len(view["classes"]) + 1, max_size=len(view["classes"]) + 1
    ) | st.lists(numbers, max_size=5)
    whole = st.builds(lambda first, rest: ",".join([*(quote(word) for word in first), *rest]), right, extra)
    pane = whole | st.lists(words.map(lambda word: quote(word, errors="replace")) | words, max_size=9).map(
        ",".join
    )
    fields = st.tuples(
        st.sampled_from(["a", "b", "picture", "opacity", "shared", "difference", "keep", "x", "__proto__"]),
        pane | words,
    )
    query = draw(st.lists(fields.map("=".join), max_size=7).map("&".join))
    owner = draw(st.sampled_from(["explore"] * 9 + ["other", "", "explore%", "EXPLORE"]))
    return (
        draw(st.sampled_from(["#", "#", "#", "", "##"]))
        + owner
        + draw(st.sampled_from(["?", "?", "?", "", "??"]))
        + query
    )


def assert_state(state, header):
    """Fail unless every field of a state is one that the header has."""
    assert set(state) == {"picture", "other", "panes", "opacity", *KNOWN} and len(state["panes"]) == 2
    assert state["picture"] in range(len(header["pictures"])) and 0 <= state["opacity"] <= 1
    assert state["other"] is None or state["other"] in {*range(len(header["pictures"]))} - {state["picture"]}
    assert state["other"] is None or not state["difference"]
    for field, known in KNOWN.items():
        assert state[field] in known and type(state[field]) is type(known[0]), field
    for pane, index in zip(state["panes"], pictures_of(state)):
        assert set(pane) == set(FIELDS)
        assert_pane(pane, header["pictures"][index]["views"])


def assert_pane(pane, views):
    view = views[pane["network"]]
    kinds = [
        entry["kind"]
        for entry in view["maps"]
        if (entry["method"], entry["layer"]) == (pane["method"], pane["layer"])
    ]
    count = len(view["classes"])
    assert len(kinds) == 1 and pane["rank"] in range(count)
    assert pane["contrast"] in [*view["weights"], *(INTERACTIVE if kinds != ["table"] else [])]
    assert (pane["contrast"] == "own") == (pane["weights"] is not None)
    if pane["contrast"] == "among":
        assert pane["foils"]
    assert pane["rank"] not in pane["foils"] and set(pane["foils"]) <= set(range(count + bool(view["rest"])))
    if pane["weights"] is not None:
        assert (
            len(pane["weights"]) == count + 1
            and min(pane["weights"]) >= 0
            and abs(sum(pane["weights"]) - 1) < 1e-9
        )
        assert pane["weights"][pane["rank"]] == 0
