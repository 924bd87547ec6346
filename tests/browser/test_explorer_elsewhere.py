"""Explorers in pages and notebooks of others: beside one another, with foreign addresses, damaged, live."""

import base64
import json
import re

import pytest
import torch
from explorer_page import unfold
from torch import nn

from contrastlib import models
from contrastlib.explorer import Explorer, bird, bundle
from contrastlib.plotting import percent

HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Explorers</title>'
# a notebook whose output is put in by a script: scripts in it do not run, copies do, appended and removed
APPENDED = """for (const script of document.querySelectorAll("section > script")) {
  const copy = document.createElement("script");
  for (const each of script.attributes) copy.setAttribute(each.name, each.value);
  copy.text = script.text;
  SCRIPT
}"""
# the model of a widget, as anywidget hands it over
LIVE = """<main></main><script type="module">
const { render } = (await import("data:text/javascript;base64,MODULE")).default;
const data = DATA, listeners = new Map(), asked = [];
const unpacked = text => new DataView(Uint8Array.from(atob(text), sign => sign.charCodeAt(0)).buffer);
const traits = { header: data.header, state: data.header.state, chunks: data.chunks.map(unpacked) };
const model = {
  get: name => traits[name], set: (name, value) => { traits[name] = value; },
  save_changes() {}, send(message) { asked.push(message); },
  on: (events, act) => listeners.set(act, events), off: (events, act) => listeners.delete(act),
};
const tell = (event, ...message) =>
  listeners.forEach((events, act) => events.includes(event) && act(...message));
Object.assign(window, { traits, listeners, asked, tell, changed: () => tell("change:state") });
try {
  window.finish = render({ model, el: document.querySelector("main") });
} finally {
  document.body.dataset.done = "";
}
</script>"""


def network(name="tiny", names=("owl", "wren", "$& cash $' x")):
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, len(names))
    )
    return models.Classifier(
        layers, name=name, class_names=names, layer="network.0", input_size=32, checksum="none"
    )


def explorer(*pictures, **options):
    return Explorer(
        [bird(index) for index in pictures or (31, 4)],
        [network(options.pop("network", "tiny"))],
        methods=["gradcam"],
        **options,
    )


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page of that body; errors in it are collected in ``page.problems``."""
    pages = []

    def show(body, hash=""):
        file = tmp_path / "page.html"
        file.write_text(HEAD + body, encoding="utf-8")
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.set_default_timeout(120_000)
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.goto(file.as_uri() + hash)
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()


def captions(page, count):
    """Of that many explorers, once they run."""
    page.wait_for_function(
        "count => document.querySelectorAll('.contrast-explorer[data-ready] .cx').length === count", arg=count
    )
    return page.locator(".cx-caption").all_inner_texts()


@pytest.fixture(scope="module")
def two():
    """Two explorers of one name, of different pictures and networks."""
    return [explorer(31, 4, network="one"), explorer(5, 6, network="other")]


def test_two_of_one_name(opened, two):
    page = opened("<hr>".join(each.static_html() for each in two))
    wanted = [each.header["pictures"][0]["caption"] for each in two]
    assert captions(page, 2) == wanted
    assert page.locator("select[name=network]").evaluate_all("all => all.map(each => each.value)") == [
        "one",
        "one",
        "other",
        "other",
    ]
    page.locator(".cx-pictures input").nth(1).check(force=True)
    assert page.locator(".cx-pictures input").evaluate_all("all => all.map(each => each.checked)") == [
        False,
        True,
        True,
        False,
    ]
    assert captions(page, 2)[1] == wanted[1] and not page.problems


@pytest.mark.parametrize(
    "script",
    [
        "script.replaceWith(copy);",  # JupyterLab
        "script.parentNode.append(copy); copy.remove();",  # VS Code
    ],
)
def test_two_of_one_name_in_a_notebook(opened, two, script):
    sections = [json.dumps(f"<p>Out</p>{each.static_html()}").replace("</", "<\\/") for each in two]
    page = opened(f"""<script>for (const html of [{",".join(sections)}]) {{
      const section = document.createElement("section");
      section.innerHTML = html;
      document.documentElement.append(section);
    }}
    {APPENDED.replace("SCRIPT", script)}</script>""")
    assert captions(page, 2) == [each.header["pictures"][0]["caption"] for each in two] and not page.problems


def test_where_scripts_run_elsewhere(opened):
    """As the classic notebook ran them, in the head of the page."""
    html = json.dumps(explorer().static_html()).replace("</", "<\\/")
    appended = APPENDED.replace("SCRIPT", "if (!script.type) { document.head.append(copy); copy.remove(); }")
    page = opened(f"""<section></section><script>document.querySelector("section").innerHTML = {html};
    {appended}</script>""")
    assert len(captions(page, 1)) == 1 and not page.problems


@pytest.mark.parametrize("hash", ["#100%", "#%E0%A4%A", "#explore?picture=%", "#other?a=%zz"])
def test_an_address_that_is_none(opened, hash):
    page = opened(explorer().static_html(), hash)
    assert len(captions(page, 1)) == 1 and not page.problems


@pytest.mark.parametrize("name", ["my, net", "100%41"])
def test_a_link_to_a_network_of_any_name(opened, name):
    other = explorer(network=name)
    several = Explorer(other.pictures, [network("100A"), *other.networks], methods=["gradcam"])
    page = opened(several.static_html())
    captions(page, 1)
    unfold(page)
    page.locator("select[name=network]").nth(1).select_option(name)
    page.locator("select[name=contrast]").nth(1).select_option("mean")
    again = opened(several.static_html(), page.evaluate("location.hash"))
    captions(again, 1)
    assert again.locator("select[name=network]").nth(1).input_value() == name
    assert again.locator("select[name=contrast]").nth(1).input_value() == "mean"


def test_questions_with_dollars(opened):
    shown = explorer(panes=[{"contrast": "maximum"}, {"contrast": "among", "foils": [1, 2]}])
    page = opened(shown.static_html())
    captions(page, 1)
    assert page.locator(".cx-question").all_text_contents() == [shown.question(0), shown.question(1)]
    assert "$& cash $' x" in shown.question(1)


@pytest.mark.parametrize(
    "pattern, put, says",
    [
        (r'"opacity":0.6', '"opacity":NaN', "not valid JSON"),  # cannot be read
        (r'"pictures":\[', '"photos":[', "undefined"),  # is not what was expected
        (r'"chunks":\["[\w+/=]+', '"chunks":["AAAA', "decode"),  # the picture cannot be drawn
    ],
)
def test_what_goes_wrong_is_told(opened, pattern, put, says):
    """The still stays, with a word below it."""
    html, found = re.subn(pattern, put, explorer().static_html(), count=1)
    assert found
    page = opened(html)
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert re.match(f"The explorer cannot run here: .*{says}", alert.inner_text()), alert.inner_text()
    assert page.locator(".cx-still img").is_visible() and page.problems


def live(shown):
    """A page with the explorer as a widget."""
    data = {"header": shown.header, "chunks": [base64.b64encode(chunk).decode() for chunk in shown.chunks]}
    module = base64.b64encode(bundle.bundle(export=True).encode()).decode()
    return f"<style>{bundle.style()}</style>" + LIVE.replace("MODULE", module).replace(
        "DATA", json.dumps(data).replace("<", "\\u003c")
    )


def test_live_it_follows_python_until_it_is_closed(opened):
    shown = explorer()
    page = opened(live(shown))
    page.wait_for_selector("body[data-done]")
    follow = "picture => { traits.state = {...traits.state, picture}; changed(); }"
    page.evaluate(follow, 1)
    assert page.locator(".cx-caption").inner_text() == shown.header["pictures"][1]["caption"]
    page.locator(".cx-pictures input").nth(0).check(force=True)
    assert page.evaluate("traits.state.picture") == 0
    assert page.evaluate("listeners.size") == 2
    page.evaluate("finish()")
    assert page.evaluate("listeners.size") == 0 and not page.problems


def test_live_the_kernel_computes_what_masking_does(opened):
    """For a map that is not recorded too; an answer for another state is not shown."""
    shown = explorer(panes=[{"rank": 2}, {"rank": 2}])
    page = opened(live(shown))
    page.wait_for_selector("body[data-done]")
    page.get_by_label("Show").select_option("negative")
    page.wait_for_function("asked.length === 1")
    message, answers = page.evaluate("asked[0]"), []
    shown.state = message["evaluate"]
    shown.send = answers.append
    shown._answer(shown, {"evaluate": {**message["evaluate"], "fill": "zero"}}, [])
    assert not answers
    shown._answer(shown, message, [])
    tell = "answer => tell('msg:custom', answer)"
    page.evaluate(tell, answers[0] | {"evaluated": {**message["evaluate"], "fill": "zero"}})
    assert "The kernel computes" in page.locator(".cx-effect").first.inner_text()
    page.evaluate(tell, answers[0])
    wanted = shown.effect(0)["probability"]
    assert [percent(each) for each in wanted] == page.locator(".cx-numbers").first.inner_text().split(" → ")
    assert not page.problems


def test_live_what_goes_wrong_is_told(opened):
    """In the end also that it is well again."""
    shown = explorer()
    broken = shown.header["pictures"][1]["image"]
    shown.chunks = [b"no image" if number == broken else chunk for number, chunk in enumerate(shown.chunks)]
    page = opened(live(shown))
    page.wait_for_selector("body[data-done]")
    assert page.get_by_role("alert").count() == 0
    page.locator(".cx-pictures input").nth(1).check(force=True)
    page.get_by_role("alert").wait_for()
    assert "The explorer cannot run here: " in page.get_by_role("alert").inner_text()
    page.locator(".cx-pictures input").nth(0).check(force=True)
    page.get_by_role("alert").wait_for(state="detached")


def test_live_without_data_it_says_so(opened):
    shown = explorer()
    shown.header = {**shown.header, "pictures": []}
    page = opened(live(shown))
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text().startswith("The explorer cannot run here: ")
