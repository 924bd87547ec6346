"""The widget: what it carries, what a page of it is, and what bad arguments are told."""

import base64
import html
import io
import json
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from contrastlib.evaluation.masking import baseline
from contrastlib.explorer import Explorer, bird, bird_scene, bundle, static_fallback


@pytest.fixture(scope="module")
def explorer(networks):
    panes = [
        {"network": "tiny_vit", "rank": 2, "contrast": "among", "foils": [0, 4]},
        {"contrast": "maximum"},
    ]
    return Explorer([bird(31), bird_scene(7)], networks, classes=4, panes=panes, name="birds-1")


def parts(page):
    data = re.search(
        r'<script type="application/json" data-explorer="birds-1">(.*?)</script>', page, re.DOTALL
    )[1]
    return json.loads(data)


def test_the_header_describes_all(explorer):
    header = explorer.header
    assert header["version"] == 1 and header["name"] == "birds-1"
    assert len(header["colours"]) == 256 and header["colours"][0] == [5, 48, 97]
    assert header["networks"]["tiny_vit"] | {"code": ""} == {
        "title": "tiny_vit",
        "classes": 30,
        "size": 32,
        "code": "",
    }
    assert list(header["methods"]) == [
        "gradcam",
        "linear_approximation",
        "xgradcam",
        "input_x_gradient",
        "lrp",
        "clrp1",
        "vit_gradcam",
        "gradient_attention_rollout",
    ]
    picture = header["pictures"][0]
    assert (picture["height"], picture["width"], picture["truth"]) == (256, 256, "Rust-crowned Finch")
    assert list(picture["views"]) == ["tiny", "tiny_vit"]
    used = {picture[key] for picture in header["pictures"] for key in ("image", "blurred")}
    used |= {picture["parts"]["labels"] for picture in header["pictures"]}
    entries = [
        entry
        for picture in header["pictures"]
        for view in picture["views"].values()
        for entry in view["maps"]
    ]
    used |= {entry[key] for entry in entries for key in ("stack", "coefficients", "masked") if key in entry}
    assert used == set(range(len(explorer.chunks)))
    assert json.loads(json.dumps(header)) == header


def test_the_pixels_of_a_picture(explorer):
    picture = explorer.header["pictures"][1]
    image = bird_scene(7).shown([])
    for key, wanted in (("image", image), ("blurred", baseline("blur", None, image[None])[0])):
        stored = np.array(Image.open(io.BytesIO(explorer.chunks[picture[key]]))) / 255
        assert abs(stored - wanted.permute(1, 2, 0).numpy()).mean() < 0.01
    np.testing.assert_allclose(picture["mean"], image.mean(dim=(1, 2)) * 255, atol=0.51)
    names, labels = bird_scene(7).parts()
    stored = np.frombuffer(zlib.decompress(explorer.chunks[picture["parts"]["labels"]]), np.uint8)
    assert picture["parts"]["names"] == names and (stored == labels.ravel()).all()


def test_the_state_is_the_preset(explorer):
    first, second = explorer.state["panes"]
    assert first == {
        "network": "tiny_vit",
        "method": "vit_gradcam",
        "layer": "block.0",
        "rank": 2,
        "contrast": "among",
        "foils": [0, 4],
        "weights": None,
    }
    assert second == {
        "network": "tiny",
        "method": "gradcam",
        "layer": "network.2",
        "rank": 0,
        "contrast": "maximum",
        "foils": [],
        "weights": None,
    }
    assert explorer.state == explorer.header["state"]


def test_what_both_maps_share_can_be_preset(networks):
    view = {"opacity": 0.8, "shared": True, "keep": "positive", "fill": "zero", "difference": True}
    explorer = Explorer([bird(31)], networks[:1], methods=["gradcam"], classes=3, view=view)
    assert {key: explorer.state[key] for key in view} == view
    part = Explorer([bird(31)], networks[:1], methods=["gradcam"], classes=3, view={"keep": "negative"})
    assert part.state == explorer.state | {
        "opacity": 0.6,
        "shared": False,
        "keep": "negative",
        "fill": "blur",
        "difference": False,
    }


def test_map_b_may_be_of_another_picture(networks):
    panes = [{"contrast": "original"}, {"contrast": "among", "foils": [1]}]
    explorer = Explorer(
        [bird(31), bird(40)], networks[:1], methods=["gradcam"], classes=3, panes=panes, view={"other": 1}
    )
    alone = Explorer([bird(40)], networks[:1], methods=["gradcam"], classes=3, panes=panes)
    np.testing.assert_allclose(explorer.map(1), alone.map(1), rtol=0, atol=1e-3 * np.ptp(alone.map(1)))
    assert explorer.question(1) == alone.question(1) and explorer.code(1) == alone.code(1)
    assert explorer.question(0) != alone.question(0)
    same = Explorer([bird(31), bird(40)], networks[:1], methods=["gradcam"], classes=3, view={"other": 0})
    assert same.state["other"] is None
    with pytest.raises(ValueError, match="no difference of maps of two pictures"):
        Explorer(
            [bird(31), bird(40)],
            networks[:1],
            methods=["gradcam"],
            classes=3,
            view={"other": 1, "difference": True},
        )


def test_weights_of_a_preset_leave_the_target_out_and_add_up(networks):
    own = {"contrast": "own", "rank": 1, "weights": [1, 5, 0, 3]}
    explorer = Explorer([bird(31)], networks[:1], methods=["gradcam"], classes=3, panes=[own, {}])
    assert explorer.state["panes"][0]["weights"] == [0.25, 0, 0, 0.75]


def test_what_is_asked(explorer):
    classes = explorer.header["pictures"][0]["views"]["tiny"]["classes"]
    assert re.fullmatch(
        rf"Why {classes[0]['name']} \(.* %\) and not {classes[1]['name']} \(.* %\)\?", explorer.question(1)
    )
    listed = [each["name"] for each in explorer.header["pictures"][0]["views"]["tiny_vit"]["classes"]]
    assert re.fullmatch(
        rf"Why {listed[2]} .* and not {listed[0]} .* or all others .*\?", explorer.question(0)
    )


def test_a_page_needs_nothing_else(explorer):
    page = explorer.static_html()
    assert not re.findall(r"(?:https?:)?//[\w.]+\.\w", page.replace("http://www.w3.org/2000/svg", ""))
    data = parts(page)
    assert data["header"] == explorer.header
    assert [base64.b64decode(chunk) for chunk in data["chunks"]] == explorer.chunks
    assert page.count("</script>") == 2 and 'mountStatic("birds-1", document.currentScript)' in page
    words = html.unescape(re.search(r'alt="(.*?)"', page)[1])
    assert explorer.question(0) in words and explorer.question(1) in words
    assert page == explorer.static_html()


def test_titles_cannot_break_out_of_the_page(networks):
    picture = bird(31)
    picture.title, picture.caption = "</script><b>", '<!-- "quoted" <script>'
    page = Explorer([picture], networks[:1], methods=["gradcam"], classes=2, name="birds-1").static_html()
    assert parts(page)["header"]["pictures"][0]["title"] == "</script><b>"
    assert page.count("</script>") == 2 and "<!--" not in page and '"quoted" <' not in page


def test_texts_with_dollars_are_texts(make_network):
    """In the still they are no formulas."""
    network = make_network["convolutional"](name="$\\none$")
    network.class_names = [f"$& cash $' {name}" for name in network.class_names]
    picture = bird(31)
    picture.title, picture.caption = "a $x_ {", "$\\none$"
    explorer = Explorer([picture], [network], methods=["gradcam"], classes=3, name="birds-1")
    assert parts(explorer.static_html())["header"]["pictures"][0]["title"] == "a $x_ {"
    assert "Why $& cash $' " in explorer.question(1)


def test_a_page_holds_no_number_that_is_none(explorer, monkeypatch):
    monkeypatch.setitem(explorer.header, "colours", [float("nan")])
    with pytest.raises(ValueError, match="not JSON compliant"):
        explorer.static_html()


def test_the_still_shows_the_preset(explorer):
    drawn = Image.open(io.BytesIO(static_fallback.static_image(explorer)))
    assert drawn.format == "WEBP" and len(static_fallback.static_image(explorer)) < 60_000
    pixels = np.asarray(drawn.convert("RGB")).astype(int)
    reddish, bluish = ((pixels[..., a] - pixels[..., b] > 60).sum() for a, b in ((0, 2), (2, 0)))
    assert reddish > 500 and bluish > 500


def test_shown_in_a_notebook_it_is_both(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert data["text/html"] == explorer.static_html()


def test_the_traits_that_go_to_the_browser(explorer):
    sent = explorer.get_state()
    assert {"header", "chunks", "state", "_esm", "_css"} <= set(sent)
    assert sent["_esm"].rstrip().endswith("export default { render };") and sent["_css"] == bundle.style()


def test_adding_a_picture(networks):
    explorer = Explorer([bird(31)], networks, methods=["gradcam", "vit_gradcam"], classes=3)
    whole = Explorer([bird(31), bird(40)], networks, methods=["gradcam", "vit_gradcam"], classes=3)
    chunks, shares = list(explorer.chunks), []
    explorer.add(bird(40), progress=shares.append)
    assert len(explorer.pictures) == 2 and explorer.state["picture"] == 1
    assert explorer.chunks[: len(chunks)] == chunks
    whole.state = {**whole.state, "picture": 1}
    np.testing.assert_allclose(explorer.map(), whole.map(), rtol=0, atol=1e-3 * np.ptp(whole.map()))
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 2


def test_adding_a_picture_ends_own_weights_where_the_picture_changes(networks):
    """They belong to the classes of one picture: map B keeps them while it shows another picture than A."""
    own = {"contrast": "own", "weights": [0, 1, 1, 0]}
    for view, contrasts in ({}, ["weighted", "weighted"]), ({"other": 1}, ["weighted", "own"]):
        explorer = Explorer(
            [bird(31), bird(5)], networks[:1], methods=["gradcam"], classes=3, panes=[own, own], view=view
        )
        explorer.add(bird(40))
        assert [pane["contrast"] for pane in explorer.state["panes"]] == contrasts
        assert [pane["weights"] for pane in explorer.state["panes"]] == [
            [0, 0.5, 0.5, 0] if contrast == "own" else None for contrast in contrasts
        ]


def test_a_page_begins_with_the_current_state(networks):
    """The still and the figure show the same."""
    explorer = Explorer([bird(31)], networks[:1], methods=["gradcam"], classes=3, name="birds-1")
    explorer.add(bird(40))
    page = explorer.static_html()
    assert parts(page)["header"]["state"] == explorer.state
    assert explorer.header["pictures"][1]["caption"] in html.unescape(re.search(r'alt="(.*?)"', page)[1])


def test_what_progress_raises_stops_the_work(networks):
    explorer = Explorer([bird(31)], networks, methods=["gradcam", "vit_gradcam"], classes=3)
    before = explorer.header, list(explorer.chunks), explorer.state

    def stop(share):
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explorer.add(bird(40), progress=stop)
    assert len(explorer.pictures) == 1
    assert (explorer.header, explorer.chunks, explorer.state) == before


def test_a_network_is_left_as_it_was_found(make_network):
    network = make_network["convolutional"]().train()
    Explorer([bird(31)], [network], classes=3)
    assert network.training and all(p.requires_grad and p.grad is None for p in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("options, says", [
    ({"classes": 1}, "classes is 1: a contrast needs at least 2"),
    ({"pictures": []}, "there is no picture"),
    ({"networks": []}, "there is no network"),
    ({"networks": ["birds_vga"]}, "birds_vgg"),
    ({"name": "my birds"}, "name is 'my birds': use letters"),
    ({"methods": ["lime"]}, "unknown method 'lime'; the explorer has"),
    ({"layers": {"other": ["a"]}}, "layers are given for 'other'; the networks are tiny"),
    ({"layers": {"tiny": ["network.20"]}}, "no layer 'network.20'"),
    ({"panes": [{}]}, "panes holds 1 presets"),
    ({"panes": [{}, {"colour": 1}]}, "unknown field 'colour' in panes; choose one of network, method"),
    ({"panes": [{}, {"network": "other"}]}, "unknown network 'other' in panes; choose one of tiny"),
    ({"panes": [{}, {"method": "lrp"}]}, "unknown method 'lrp' in panes; choose one of gradcam"),
    ({"panes": [{}, {"layer": "network.0"}]}, "unknown layer 'network.0' in panes; choose one of network.2"),
    ({"panes": [{}, {"rank": 3}]}, "unknown rank 3 in panes; choose one of 0, 1, 2"),
    ({"panes": [{}, {"contrast": "best"}]}, "unknown contrast 'best' in panes; choose one of original"),
    ({"panes": [{}, {"contrast": "among"}]}, "belong together"),
    ({"panes": [{}, {"foils": [1]}]}, "belong together"),
    ({"panes": [{}, {"contrast": "among", "foils": [0]}]}, "unknown foil 0 in panes; choose one of 1, 2, 3"),
    ({"panes": [{}, {"contrast": "own"}]}, "belong together"),
    ({"panes": [{}, {"contrast": "own", "weights": [0, 1]}]}, "there are 2 weights: give 4"),
    ({"panes": [{}, {"contrast": "own", "weights": [1, 0, 0, 0]}]},
     "one besides the target's must be positive"),
    *(({"panes": [{}, {"contrast": "own", "weights": [0, each, 1, 0]}]},
       "weights must be finite and not negative")
      for each in (float("nan"), float("inf"), 1e400, -1)),
    ({"panes": [{}, {"contrast": "own", "weights": [0, 1e308, 1e308, 0]}]}, "weights must be finite"),
    ({"view": {"opacity": float("nan")}}, "opacity is nan in view"),
    ({"view": {"picture": 1}}, "unknown field 'picture' in view; choose one of other, opacity"),
    ({"view": {"keep": "some"}}, "unknown keep 'some' in view; choose one of all, positive, negative"),
    ({"view": {"opacity": 60}}, "opacity is 60 in view: choose one from 0 to 1"),
    ({"view": {"other": 1}}, "unknown other 1 in view; choose one of 0"),
    ({"masked": ["lime"]}, "unknown method 'lime' in masked; the explorer has"),
])  # fmt: skip
def test_bad_arguments_are_told_the_remedy(networks, options, says):
    given = {
        "pictures": [bird(31)],
        "networks": networks[:1],
        "methods": ["gradcam"],
        "classes": 3,
        **options,
    }
    with pytest.raises(ValueError, match=says):
        Explorer(**given)


@pytest.mark.parametrize("method", ["gradcam", "input_x_gradient", "fullgrad", "lrp", "vit_gradcam"])
def test_names_are_as_many_as_logits(make_network, method):
    network = make_network["transformer" if method == "vit_gradcam" else "convolutional"]()
    for names in (network.class_names[:7], [*network.class_names, "owl"]):
        network.class_names = names
        with pytest.raises(
            ValueError, match=rf"{network.name} gives 30 logits and has {len(names)} class_names"
        ):
            Explorer([bird(31)], [network], methods=[method])


@pytest.mark.parametrize("method", ["gradcam", "input_x_gradient", "fullgrad", "lrp"])
def test_one_logit_is_no_ranking(make_network, method):
    network = make_network["convolutional"](classes=1)
    with pytest.raises(
        ValueError, match=r"at least two classes, and the network gives one logit y: let it return \(0, y\)"
    ):
        Explorer([bird(31)], [network], methods=[method])


def test_two_networks_of_one_name(make_network):
    with pytest.raises(ValueError, match="two networks have the same name: tiny, tiny"):
        Explorer([bird(31)], [make_network["convolutional"]() for _ in range(2)], methods=["gradcam"])


def test_the_bundle_is_one_script(tmp_path):
    for name in bundle.MODULES:
        (tmp_path / name).write_text(f"// {name}\n")
    (tmp_path / "view.js").write_text(
        'import {\n  a,\n  b,\n} from "./state.js";\nexport const c = a;\nexport async function d() {}\n'
    )
    text = bundle.bundle(folder=tmp_path)
    assert [line for line in text.splitlines() if line.startswith("//")] == [
        f"// {name}" for name in bundle.MODULES if name != "view.js"
    ]
    assert "const c = a;\nasync function d() {}\n" in text and "import" not in text and "export" not in text
    assert bundle.bundle(export=True, folder=tmp_path) == text + "export default { render };\n"
    for line, says in (
        ('import x from "https://example.org/x.js";\n', "cannot be bundled"),
        ("export { c };\n", "cannot be bundled"),
        ('const end = "</script>";\n', "would end the script"),
    ):
        (tmp_path / "main.js").write_text(line)
        with pytest.raises(ValueError, match=says):
            bundle.bundle(folder=tmp_path)


def test_the_bundle_of_the_explorer():
    text = bundle.bundle()
    for needed in ("function mountStatic(", "function render(", "function mapOf("):
        assert text.count(needed) == 1
    declared = re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", text, re.MULTILINE)
    assert len(declared) == len(set(declared)), "two modules declare the same name"
