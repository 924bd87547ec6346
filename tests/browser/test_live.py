"""The live network: the reader's picture, a class against any other, painting, all under a strict policy."""

import io
import itertools
import json

import numpy as np
import pytest
import torch
from built import AXE, ROOT
from live_server import serving
from PIL import Image

import contrastlib
from contrastlib import assets, contrasts, models
from contrastlib.autograd import forward
from contrastlib.datasets.birds import SPECIES, SyntheticBirds
from contrastlib.datasets.birds.repainting import Repainter, other_traits
from contrastlib.datasets.pictures import open_photo
from contrastlib.evaluation.masking import baseline
from contrastlib.explainers import EXPLAINERS, upsample
from contrastlib.explorer import bird, live, photograph
from contrastlib.explorer.live import offered_contrasts
from contrastlib.report.release.chromium import ARGUMENTS, CHROMIUM

RUNTIME = ROOT / "node_modules" / "onnxruntime-web" / "dist"
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RUNTIME.exists(), reason="onnxruntime-web is not there: run `npm ci`"),
]


@pytest.fixture(scope="session")
def classifier():
    return models.load("efficientnet_lite0")


@pytest.fixture(scope="session")
def folder(classifier, tmp_path_factory):
    """index.html has both networks, cat.html and bird.html have one."""
    made, birds = tmp_path_factory.mktemp("live"), models.load("birds_vgg")
    cat = live.Shown(classifier, photograph(assets.path("chelsea.png"), "A cat"))
    found = live.write(
        made, RUNTIME, [cat, live.Shown(birds, bird(31), live.repainted_parts(31, birds.input_size))]
    )
    for page, name in (("cat.html", "live"), ("bird.html", "live-birds_vgg")):
        (made / page).write_text(live.page([found[name]]), encoding="utf-8")
    return made


@pytest.fixture
def server(folder):
    with serving(folder) as started:
        yield started


@pytest.fixture
def opened(browser, server):
    """``page = opened(hash="", loaded=False, **options)``; any error in the page fails the test."""
    pages = []

    def show(hash="", loaded=False, path="cat.html", script=None, expected=(), **options):
        context = browser.new_context(
            **{"viewport": {"width": 1000, "height": 900}, "accept_downloads": True} | options
        )
        page, problems = context.new_page(), []
        page.set_default_timeout(60_000)
        if script:
            page.add_init_script(script)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: (
                said.type == "error"
                and not any(each in said.text for each in expected)
                and problems.append(said.text)
            ),
        )
        page.on(
            "request",
            lambda asked: (
                asked.url.startswith((server.address, "blob:", "data:")) or problems.append(asked.url)
            ),
        )
        page.goto(server.address + path + hash)
        page.wait_for_function(
            "() => [...document.querySelectorAll('.contrast-live')].every(each => 'ready' in each.dataset)"
        )
        pages.append((context, problems))
        if loaded:
            load(page)
        return page

    yield show
    for context, problems in pages:
        context.close()
        assert not problems


def load(page):
    page.get_by_role("button", name="Load the network").click()
    page.wait_for_selector(".contrast-live[data-milliseconds]")


def said(page):
    return page.locator(".live-loading .live-status").inner_text()


def settled(page):
    """Wait until the network has answered about the picture as it is now."""
    page.evaluate("() => document.querySelector('.contrast-live').live.explain()")


def values(page, expression):
    """A list of numbers of the page: of `live`, its state."""
    return np.array(
        page.evaluate(
            f"""() => {{
              const live = document.querySelector('.contrast-live').live;
              return [...{expression}];
            }}"""
        )
    )


def table(page, quantity):
    row = page.locator(f"tr[data-quantity={quantity}] td")
    return row.nth(0).inner_text(), row.nth(1).inner_text()


def give(page, name, content, kind):
    page.locator("input[name=file]").set_input_files({"name": name, "mimeType": kind, "buffer": content})


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_opens_on_the_cat_without_the_network(opened, server, folder):
    page = opened()
    assert (
        page.locator(".live-question").inner_text() == "Why tiger cat (39.5 %) and not Egyptian cat (35.5 %)?"
    )
    assert not server.asked
    sizes = [
        path.stat().st_size
        for path in (*folder.glob("code/**/*.*"), folder / "cat.html", *folder.glob("*.mjs"))
    ]
    assert sum(sizes) < 2e6 and (folder / "cat.html").stat().st_size < 6e5
    colours = page.evaluate("""() => { const map = document.querySelector('.live-map');
      const data = map.getContext('2d').getImageData(0, 0, 224, 224).data; const out = [];
      for (let i = 0; i < data.length; i += 4000) out.push([data[i], data[i + 1], data[i + 2]]);
      return out; }""")
    assert len(set(map(tuple, colours))) > 20


@pytest.mark.parametrize("loaded", [False, True])
def test_every_method_and_contrast_equals_python(opened, classifier, loaded):
    """What the page recorded, and what the network says in Chromium, is what contrastlib.explain says."""
    page = opened(loaded=loaded)
    image = photograph(assets.path("chelsea.png")).tensor(classifier)[None]
    assert np.array_equal(
        values(page, "live.painted.pixels").reshape(224, 224, 4)[..., :3].transpose(2, 0, 1),
        image[0].mul(255).round().numpy(),
    )
    record = forward(classifier, image, classifier.layer)
    logits = record.logits
    first, second, third = logits[0].argsort(descending=True)[:3].tolist()
    found = values(page, "live.result.logits")
    assert np.abs(found - logits[0].numpy()).max() <= 1e-3 * np.ptp(logits.numpy())
    for name, contrast in offered_contrasts().items():
        targets = [first, second] if contrast.takes_group else [first]
        foils = [second, third] if contrast.takes_foils else []
        for method in ("gradcam", "linear_approximation", "xgradcam"):
            state = {"targets": targets, "foils": foils, "contrast": name, "method": method}
            page.evaluate("state => document.querySelector('.contrast-live').live.change(state)", state)
            chosen = page.evaluate("() => document.querySelector('.contrast-live').live.state")
            assert (chosen["contrast"], chosen["method"]) == (name, method)
            target = targets if contrast.takes_group else first
            w = contrasts.cotangent(name, logits, target, foils or None)
            wanted = upsample(EXPLAINERS[method].function(record, w), (224, 224))[0].numpy()
            error = np.abs(values(page, "live.fullMap()").reshape(224, 224) - wanted).max() / np.ptp(wanted)
            assert error <= 1e-3, f"{method} {name}"
    wanted = contrastlib.explain(classifier, image, targets, method, name)[0].numpy()
    assert np.abs(values(page, "live.fullMap()").reshape(224, 224) - wanted).max() <= 1e-3 * np.ptp(wanted)


def test_numbers_are_those_of_python(opened, classifier):
    page = opened()
    image = photograph(assets.path("chelsea.png")).tensor(classifier)[None]
    logits = contrastlib.autograd.predict(classifier, image)
    p = logits.softmax(1)[0, 282].item()
    assert table(page, "probability") == (f"{100 * p:.1f} %",) * 2
    odds = contrastlib.contrasts.log_odds(logits, 282).item()
    assert table(page, "logOdds")[1] == f"{odds:+.2f}".replace("-", "−")
    relative = logits[0, [282, 285]].softmax(0)[0].item()
    assert table(page, "relative")[1] == f"{100 * relative:.1f} %"


PHOTOS = {
    "landscape.jpg": ((640, 427), "JPEG", {}),
    "portrait.jpg": ((333, 901), "JPEG", {}),
    "small.png": ((50, 40), "PNG", {}),
    "right.png": ((256, 300), "PNG", {}),
    "huge.jpg": ((4000, 3000), "JPEG", {}),
    "shrunk.jpg": ((5200, 3900), "JPEG", {}),  # above 2^24 pixels, from which on the browser shrinks it first
}


@pytest.mark.parametrize("name", PHOTOS)
def test_a_picture_of_the_reader(opened, classifier, tmp_path, name):
    """It is resized and cropped as the library does it, to the very pixels."""
    (width, height), kind, options = PHOTOS[name]
    noise = np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    (tmp_path / name).write_bytes(encoded(photo, kind, **options))
    page = opened()
    give(page, name, (tmp_path / name).read_bytes(), f"image/{kind.lower()}")
    page.wait_for_function("() => !document.querySelector('.contrast-live').live.result")
    assert (
        "only here" in said(page)
        and page.locator(".live-question").inner_text() == "What will the network say of your picture?"
    )
    found = values(page, "live.painted.original").reshape(224, 224, 4)[..., :3]
    wanted = classifier.preprocess(open_photo(tmp_path / name)).mul(255).round().permute(1, 2, 0).numpy()
    assert np.abs(found - wanted).max() <= (4 if kind == "JPEG" else 0)  # decoders of JPEG differ in rounding
    assert name != "shrunk.jpg" or width * height > 2**24
    load(page)
    page.wait_for_selector(".contrast-live[data-explains]")
    logits = contrastlib.autograd.predict(
        classifier, torch.tensor(found).permute(2, 0, 1)[None].float() / 255
    )
    assert (
        page.locator(".contrast-live").get_attribute("data-explains")
        == classifier.class_names[logits.argmax()]
    )


def test_rotation_and_transparency(opened, classifier, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    photo = Image.fromarray(np.random.default_rng(4).integers(0, 256, (3, 4, 3), dtype=np.uint8)).resize(
        (400, 300)
    )
    turned, clear = tmp_path / "turned.jpg", tmp_path / "clear.png"
    turned.write_bytes(encoded(photo, "JPEG", exif=exif, quality=95))
    rgba = photo.convert("RGBA")
    rgba.putalpha(Image.linear_gradient("L").resize(photo.size))
    clear.write_bytes(encoded(rgba))
    page = opened()
    for path in (turned, clear):
        give(page, path.name, path.read_bytes(), "image/*")
        page.wait_for_function(
            "name => document.querySelector('.contrast-live').live.picture.title === name", arg=path.name
        )
        wanted = classifier.preprocess(open_photo(path)).mul(255).round().permute(1, 2, 0).numpy()
        assert (
            np.abs(values(page, "live.painted.original").reshape(224, 224, 4)[..., :3] - wanted).max() <= 4
        ), path.name


@pytest.mark.parametrize("name, content, kind, sentence", [
    ("notes.txt", b"no picture", "text/plain", "notes.txt is not a picture: choose a JPEG, PNG or WebP."),
    ("broken.png", b"\x89PNG no picture", "image/png",
     "broken.png is not a picture that this browser can read"),
    ("<img src=x onerror=alert(1)>.png", b"", "image/png",
     "<img src=x onerror=alert(1)>.png is not a picture that this browser can read"),
    ("line.png", encoded(Image.new("RGB", (900, 2))), "image/png",
     "line.png has 900 × 2 pixels: cut a wider part out of it."),
], ids=["text", "broken", "markup", "narrow"])  # fmt: skip
def test_what_is_no_picture(opened, name, content, kind, sentence):
    page = opened()
    give(page, name, content, kind)
    page.wait_for_function("() => document.querySelector('.live-status').textContent")
    assert sentence in said(page)
    assert page.locator(".live img").count() == 0 and page.locator(".live-question").inner_text().startswith(
        "Why tiger cat"
    )


def test_a_pasted_and_a_dropped_picture(opened):
    page = opened()
    for event, field in (("paste", "clipboardData"), ("drop", "dataTransfer")):
        page.evaluate(
            """async ([event, field]) => {
          const canvas = new OffscreenCanvas(300, 260), context = canvas.getContext("2d");
          context.fillStyle = event === "drop" ? "#ff0000" : "#0000ff";
          context.fillRect(0, 0, 300, 260);
          const transfer = new DataTransfer();
          transfer.items.add(new File([await canvas.convertToBlob()], `${event}.png`, { type: "image/png" }));
          const sent = event === "drop"
            ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
          document.querySelector(".live-question").dispatchEvent(sent);
        }""",
            [event, field],
        )
        page.wait_for_function(
            "name => document.querySelector('.contrast-live').live.picture.title === name", arg=f"{event}.png"
        )
        assert values(page, "live.painted.original.slice(0, 3)").tolist() == (
            [255, 0, 0] if event == "drop" else [0, 0, 255]
        )


def test_a_telephone_takes_a_photograph(opened):
    page = opened(**PHONE)
    camera = page.locator("input[name=camera]")
    assert camera.get_attribute("capture") == "environment" and camera.get_attribute("accept") == "image/*"
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a photograph").tap()
    chooser.value.set_files(
        {"name": "cup.png", "mimeType": "image/png", "buffer": assets.path("coffee.png").read_bytes()}
    )
    load(page)
    page.wait_for_selector(".contrast-live[data-explains=espresso]")
    assert page.locator(".live-question").inner_text().startswith("Why espresso (95")
    page.get_by_label("Search 1,000 classes").fill("cup")
    page.get_by_label("why cup", exact=True).tap()
    page.get_by_label("why espresso").tap()
    page.get_by_label("Search 1,000 classes").fill("coffee mug")
    page.get_by_label("not coffee mug").tap()
    assert page.locator(".contrast-live").get_attribute("data-explains") == "cup"
    assert "coffee mug" in page.locator(".live-question").inner_text()


def centre(page, x=0.5, y=0.5):
    box = page.locator(".live-paint").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


@pytest.mark.parametrize("way", ["mouse", "touch", "keyboard"])
def test_painting(opened, classifier, way):
    page = opened(loaded=True, **(PHONE if way == "touch" else {}))
    page.locator("select[name=tool]").select_option("grey")
    if way == "touch":
        page.get_by_role("button", name="Paint with a finger").tap()
    page.locator(".live-paint").scroll_into_view_if_needed()
    before, original = table(page, "probability"), values(page, "live.painted.pixels")
    if way == "mouse":
        page.mouse.move(*centre(page, 0.3, 0.4))
        page.mouse.down()
        page.mouse.move(*centre(page, 0.7, 0.6), steps=8)
        page.mouse.up()
    elif way == "touch":
        session = page.context.new_cdp_session(page)
        for kind, place in (
            ("touchStart", (0.3, 0.4)),
            ("touchMove", (0.5, 0.5)),
            ("touchMove", (0.7, 0.6)),
            ("touchEnd", None),
        ):
            points = [dict(zip("xy", centre(page, *place)))] if place else []
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    else:
        page.locator(".live-paint").focus()
        for key in ("ArrowLeft", "ArrowUp", " "):
            page.keyboard.press(key)
    settled(page)
    painted = values(page, "live.painted.pixels").reshape(224, 224, 4)[..., :3]
    changed = (painted != original.reshape(224, 224, 4)[..., :3]).any(axis=2)
    assert (500 if way == "keyboard" else 2000) < changed.sum() < 12000 and (painted[changed] == 128).all()
    logits = contrastlib.autograd.predict(
        classifier, torch.tensor(painted).permute(2, 0, 1)[None].float() / 255
    )
    assert table(page, "probability") == (before[0], f"{100 * logits.softmax(1)[0, 282].item():.1f} %")
    page.get_by_role("button", name="Undo").click()
    settled(page)
    assert (
        np.array_equal(values(page, "live.painted.pixels"), original) and table(page, "probability") == before
    )


def test_blur_is_that_of_the_library(opened, classifier):
    page = opened()
    image = photograph(assets.path("chelsea.png")).tensor(classifier)[None]
    page.evaluate("() => document.querySelector('.contrast-live').live.painted.fill('blur')")
    found = values(page, "live.painted.blurred").reshape(224, 224, 4)[..., :3]
    wanted = baseline("blur", classifier, image)[0].permute(1, 2, 0).mul(255).numpy()
    assert np.abs(found - wanted).max() <= 0.51


@pytest.mark.parametrize("sign", ["positive", "negative"])
def test_keeping_a_sign_of_the_map(opened, classifier, sign):
    page = opened(loaded=True)
    page.locator("select[name=tool]").select_option("grey")
    heat, original = values(page, "live.fullMap()"), values(page, "live.painted.pixels").reshape(-1, 4)
    page.get_by_role("button", name=f"Keep {sign}").click()
    settled(page)
    kept = values(page, "live.painted.pixels").reshape(-1, 4)
    inside = heat > 0 if sign == "positive" else heat < 0
    assert np.array_equal(kept[inside], original[inside]) and (kept[~inside][:, :3] == 128).all()
    seen = torch.tensor(kept.reshape(224, 224, 4)[..., :3]).permute(2, 0, 1)[None].float() / 255
    tiger, egyptian = contrastlib.autograd.predict(classifier, seen)[0, [282, 285]].tolist()
    relative = 100 / (1 + np.exp(egyptian - tiger))
    assert float(table(page, "relative")[1].split()[0]) == pytest.approx(relative, abs=0.1)
    page.get_by_role("button", name="Show before").click()
    assert page.get_by_role("button", name="Show before").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert np.array_equal(values(page, "live.painted.pixels").reshape(-1, 4), original)


def test_loading_is_stopped_and_begun_again(opened, server):
    page = opened()
    server.free.clear()
    page.get_by_role("button", name="Load the network, 2").click()
    assert page.get_by_role("progressbar").is_visible()
    page.get_by_role("button", name="Abort").click()
    page.wait_for_function(
        "() => document.querySelector('.live-status').textContent === 'Loading was stopped.'"
    )
    server.free.set()
    load(page)
    assert said(page) == "The network runs in this page."


WORKER = """const Plain = Worker;
globalThis.Worker = class extends Plain {
  constructor(...given) { super(...given); globalThis.worker = this; }
};"""


def test_a_network_that_ends_later_is_loaded_again(opened):
    """What waits for its answer ends with an error, and the button comes back."""
    page = opened(script=WORKER, loaded=True)
    refused = page.evaluate("""async () => {
      const { live } = document.querySelector('.contrast-live'), { network, painted, size } = live;
      const waiting = [network.run(painted.pixels, size), network.run(painted.pixels, size)];
      worker.dispatchEvent(new ErrorEvent('error', { message: 'out of memory', cancelable: true }));
      return (await Promise.allSettled(waiting)).map(({ status, reason }) => [status, reason?.message]);
    }""")
    assert (
        refused
        == [["rejected", "There is not enough memory for the network: close other pages, and load it again."]]
        * 2
    )
    assert said(page) == refused[0][1] and page.get_by_role("button", name="Load the network").is_visible()
    page.get_by_role("button", name="Load the network").click()
    page.wait_for_function(
        "() => document.querySelector('.live-status').textContent === 'The network runs in this page.'"
    )


def test_memory_that_runs_short_ends_the_network(opened):
    """The worker answers with an error, and the button comes back."""
    page = opened(script=WORKER, loaded=True)
    page.evaluate("""() => {
      const { onmessage } = worker, data = { error: 'RangeError: could not allocate memory' };
      worker.postMessage = () => setTimeout(() => onmessage({ data }));
    }""")
    page.locator(".live-paint").focus()
    page.keyboard.press(" ")
    page.wait_for_function("() => document.querySelector('.live-status').textContent.includes('memory')")
    page.get_by_role("button", name="Load the network").click()
    page.wait_for_function(
        "() => document.querySelector('.live-status').textContent === 'The network runs in this page.'"
    )
    settled(page)
    assert table(page, "probability")[1] != "–"


HELD = """const Plain = Worker, held = [];
let holding = false;
globalThis.asked = 0;
globalThis.hold = () => { holding = true; };
globalThis.letOneThrough = () => held.shift()();
globalThis.letAllThrough = () => { holding = false; held.splice(0).forEach(send => send()); };
globalThis.Worker = class extends Plain {
  postMessage(message) {
    globalThis.asked += "pixels" in message;
    if (holding) held.push(() => super.postMessage(message)); else super.postMessage(message);
  }
};"""
IDLE = "() => !document.querySelector('.contrast-live').live.network.waiting"


def give_asset(page, name):
    give(page, name, assets.path(name).read_bytes(), "image/png")
    page.wait_for_function(
        "name => document.querySelector('.contrast-live').live.picture.title === name", arg=name
    )


def dab(page):
    page.locator(".live-paint").focus()
    page.keyboard.press(" ")


@pytest.mark.parametrize("follows", ["the first picture", "another picture"])
def test_an_answer_belongs_to_its_picture(opened, follows):
    """Also if the picture is painted on, and another one follows, before the network has answered."""
    page = opened(script=HELD, loaded=True)
    page.evaluate("hold")
    give_asset(page, "coffee.png")
    dab(page)
    if follows == "the first picture":
        page.get_by_role("button", name="Back to: A cat").click()
        page.wait_for_selector(".contrast-live[data-explains='tiger cat']")
    else:
        give_asset(page, "chelsea.png")
    page.evaluate("letAllThrough")
    page.wait_for_function(IDLE)
    before, now = table(page, "probability")
    assert before == now and before != "–"


def test_what_the_reader_asks_meanwhile_stays(opened):
    """A new picture is asked about once, although it was painted on while the network looked at it.

    What was painted is asked about once too, as it is when the first answer is there.
    """
    page = opened(script=HELD, loaded=True)
    page.evaluate("hold")
    before = page.evaluate("asked")
    give_asset(page, "coffee.png")
    dab(page)
    dab(page)
    page.evaluate("letOneThrough")
    page.wait_for_function("() => document.querySelector('.contrast-live').live.before")
    page.evaluate("() => document.querySelector('.contrast-live').live.change({ targets: [849] })")
    page.evaluate("letAllThrough")
    page.wait_for_function(IDLE)
    assert page.locator(".contrast-live").get_attribute("data-explains") == "teapot"
    assert page.evaluate("asked") == before + 2


def focused(page):
    return page.evaluate(
        "() => (({ ariaLabel, name, textContent }) => ariaLabel || name || textContent)"
        "(document.activeElement)"
    )


def test_loading_keeps_the_focus(opened, server):
    page = opened()
    server.free.clear()
    page.get_by_role("button", name="Load the network").press("Enter")
    assert focused(page) == "Abort"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.className === 'live-load'")
    page.keyboard.press("Enter")
    server.free.set()
    page.wait_for_selector(".contrast-live[data-milliseconds]")
    assert focused(page) == "The network runs in this page."


@pytest.mark.parametrize("name", ["Undo", "Reset"])
def test_a_button_with_nothing_left_to_do_keeps_the_focus(opened, name):
    page = opened()
    dab(page)
    button = page.get_by_role("button", name=name)
    button.press("Enter")
    assert focused(page) == name and button.get_attribute("aria-disabled") == "true"
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Undo").get_attribute("aria-disabled") == "true"


def test_a_class_that_leaves_the_list_passes_the_focus_to_the_search(opened):
    page = opened()
    search = page.get_by_label("Search 1,000 classes")
    search.fill("teapot")
    page.get_by_label("not teapot", exact=True).check()
    search.fill("")
    page.get_by_label("not teapot", exact=True).focus()
    page.keyboard.press(" ")
    assert focused(page) == "search"


def test_a_list_of_classes_leaves_the_focus_of_another_alone(opened):
    page = opened(path="index.html")
    page.locator("#live").get_by_label("not tabby").focus()
    page.evaluate("""() => {
      const { dataset } = document.activeElement, { live } = document.querySelector('#live-birds_vgg');
      dataset.key = document.querySelector('#live-birds_vgg input[data-key]:enabled').dataset.key;
      live.draw();
    }""")
    assert focused(page) == "not tabby"


NO_ADDRESS = "history.replaceState = () => { throw new DOMException('no', 'SecurityError'); };"


def test_an_address_that_cannot_be_written(opened):
    """As in some frames: the page goes on without it."""
    page = opened(script=NO_ADDRESS)
    page.locator("select[name=contrast]").select_option("original")
    assert page.locator(".live-question").inner_text() == "What raises the logit of tiger cat (39.5 %)?"


def test_a_page_without_a_clipboard_shows_what_to_copy(opened):
    page = opened(script="Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    told = page.locator(".live-actions .live-status")
    page.get_by_role("button", name="Copy link").click()
    assert f"{page.url.split('#')[0]}#live?explain=282" in told.inner_text()
    page.get_by_role("button", name="Copy Python").click()
    assert told.inner_text() == "Copying is not allowed here: the lines are below."
    assert page.locator(".live-code").is_visible()


def test_logits_above_the_largest_float16(opened):
    """The slider goes far where the two most probable classes are nearly tied."""
    page = opened()
    page.locator(".live-surer summary").click()
    page.evaluate("""() => {
      const { live } = document.querySelector('.contrast-live');
      live.result.logits.fill(0).set([12], 282);
      live.result.logits.set([11.994], 285);
      live.change({ surer: 100 });
    }""")
    note = page.locator("figure:has([data-kind=float16]) figcaption").inner_text()
    assert note == "gradient of p, float16: the logits exceed the largest float16, no map"


def test_a_repainted_part_is_shown(opened):
    """Not the picture before, although that was shown last."""
    page = opened(path="bird.html")
    for version in ("0", "1"):
        page.get_by_label("Repaint it").select_option(version)
        page.wait_for_function(
            "version => document.querySelector('.contrast-live').live.painted.trait?.version === version",
            arg=version,
        )
        assert page.get_by_role("button", name="Show before").get_attribute("aria-pressed") == "false"
        page.get_by_role("button", name="Show before").click()


def test_a_change_of_nothing_is_not_undone(opened):
    page = opened()
    page.locator("select[name=tool]").select_option("restore")
    page.get_by_role("button", name="Keep positive").click()
    assert values(page, "live.painted.history").size == 0


SLOW = """const decode = createImageBitmap;
globalThis.createImageBitmap = async (file, ...options) => {
  if (file.name === "slow.png") await new Promise(resolve => setTimeout(resolve, 500));
  return decode(file, ...options);
};"""


@pytest.mark.parametrize("content", ["a picture", "no picture"])
def test_the_latest_picture_stays(opened, content):
    """Also if one that was given before takes longer to decode, or cannot be decoded."""
    page = opened(script=SLOW)
    shown = page.evaluate(
        """async content => {
      const canvas = new OffscreenCanvas(300, 260);
      canvas.getContext("2d").fillRect(0, 0, 300, 260);
      const picture = await canvas.convertToBlob(), { live } = document.querySelector(".contrast-live");
      const given = content === "a picture" ? picture : content;
      const slow = live.open(new File([given], "slow.png", { type: "image/png" }));
      await Promise.all([slow, live.open(new File([picture], "fast.png", { type: "image/png" }))]);
      return live.picture.title;
    }""",
        content,
    )
    assert shown == "fast.png" and said(page).startswith("Your picture is here")


def test_the_latest_repainting_stays(opened):
    page = opened(path="bird.html")
    changed = page.evaluate("""async () => {
      const { live } = document.querySelector(".contrast-live"), trait = { part: 0, version: "0" };
      await Promise.all([live.repaint(trait), live.repaint(null)]);
      return [live.painted.changed, live.painted.history.length];
    }""")
    assert changed == [False, 1]


def test_files_that_are_not_there(opened, server):
    page = opened(expected=["404"])
    server.missing = True
    page.get_by_role("button", name="Load the network").click()
    failed = "The network could not be loaded"
    page.wait_for_function(f"() => document.querySelector('.live-status').textContent.startsWith('{failed}')")
    assert page.get_by_role("button", name="Load the network").is_visible()


@pytest.mark.parametrize(
    "script, sentence",
    [
        ("delete window.WebAssembly", "This browser has no WebAssembly"),
        ("WebAssembly.validate = () => false", "it lacks WebAssembly's SIMD"),
    ],
)
def test_browsers_that_cannot(opened, server, script, sentence):
    page = opened(script=script)
    page.get_by_role("button", name="Load the network").click()
    page.wait_for_function("() => document.querySelector('.live-status').textContent")
    assert sentence in said(page) and not server.asked


def test_too_little_memory(opened, server):
    page = opened()
    found = page.evaluate(
        """async () => (await import('./code/live/network.js'))
          .reason('RangeError: WebAssembly.Memory(): could not allocate memory')"""
    )
    assert found == "There is not enough memory for the network: close other pages, and load it again."


def test_the_address_keeps_the_question(opened):
    page = opened(hash="#live?explain=504&against=968,967&contrast=among&method=xgradcam&opacity=40")
    assert page.locator(".contrast-live").get_attribute("data-explains") == "coffee mug"
    assert (
        page.locator("select[name=contrast]").input_value() == "among"
        and page.locator("select[name=method]").input_value() == "xgradcam"
    )
    page.locator("select[name=contrast]").select_option("maximum")
    assert "explain=504" in page.url and "contrast=maximum" in page.url and "against=968,967" in page.url
    again = opened(hash="#" + page.url.split("#")[1])
    assert again.locator(".live-question").inner_text() == page.locator(".live-question").inner_text()


@pytest.mark.parametrize("hash", [
    "#live?explain=<img src=x onerror=alert(1)>",
    "#live?explain=99999,-1,1.5&contrast=constructor&opacity=1e999",
    "#live?explain=282&against=282&contrast=among&method=toString",
    "#other?explain=1",
    "#live",
    "#live?%E0%A4%A",
])  # fmt: skip
def test_addresses_that_mean_nothing(opened, hash):
    page = opened(hash=hash)
    assert page.locator(".contrast-live").get_attribute("data-explains") == "tiger cat"
    assert page.locator(".live img").count() == 0


def test_names_with_markup_stay_text(opened, folder):
    data = live.read_headers(folder)["live"]
    evil = "</script><img src=x onerror=alert(1)>"
    data["network"]["classes"] = [f"{evil} {name}" for name in data["network"]["classes"]]
    data["picture"]["title"] = data["network"]["title"] = evil
    (folder / "evil.html").write_text(live.page([data]), encoding="utf-8")
    page = opened(path="evil.html")
    assert page.locator("img").count() == 0
    assert page.locator(".live-question").inner_text().startswith(f"Why {evil} tiger cat")


def test_a_group_of_classes(opened, classifier):
    page = opened()
    page.get_by_label("why Egyptian cat").check()
    page.get_by_label("why tabby").check()
    assert (
        page.locator(".contrast-live").get_attribute("data-explains") == "tiger cat or Egyptian cat or tabby"
    )
    assert page.locator("select[name=contrast]").input_value() == "group"
    cat = photograph(assets.path("chelsea.png")).tensor(classifier)[None]
    together = contrastlib.autograd.predict(classifier, cat).softmax(dim=1)[0, [281, 282, 285]].sum().item()
    assert table(page, "probability")[0] == f"{100 * together:.1f} %"


def test_the_network_made_surer(opened):
    page = opened()
    page.locator(".live-surer summary").click()
    page.wait_for_selector("canvas[data-kind=exact][data-cosine]")

    def cosines():
        return [
            page.locator(f"canvas[data-kind={kind}]").get_attribute("data-cosine")
            for kind in ("exact", "float32", "float16")
        ]

    assert [round(float(each), 2) for each in cosines()] == [1, 1, 1]
    page.locator("input[name=surer]").fill("100")
    exact, single, half = map(float, cosines())
    assert exact == pytest.approx(1) and not single > 0.9 and not half > 0.9
    assert "surer=100" in page.url


def test_the_gradient_of_the_probability_is_that_of_a_framework(opened):
    page = opened()
    logits = np.random.default_rng(0).normal(0, 6, 50).astype(np.float32)
    for (precision, kind), targets in itertools.product(
        (("float32", torch.float32), ("float16", torch.float16)), ([3], [3, 7, 20])
    ):
        found = np.array(
            page.evaluate(
                """async ([logits, targets, precision]) => [...(await import('./code/live/precision.js'))
          .gradientOfProbability(logits, targets, precision)]""",
                [logits.tolist(), targets, precision],
            )
        )
        y = torch.tensor(logits, dtype=kind, requires_grad=True)
        y.softmax(0)[targets].sum().backward()
        wanted = y.grad.double().numpy()
        largest = np.abs(wanted).max()
        assert np.abs(found - wanted).max() <= (2e-6 if precision == "float32" else 2e-3) * largest
    halves = np.random.default_rng(1).normal(0, 1, 2000) * 10.0 ** np.random.default_rng(2).integers(
        -9, 6, 2000
    )
    found = page.evaluate(
        """async values => {
          const { toHalf } = await import('./code/live/precision.js');
          return values.map(v => String(toHalf(Math.fround(v))));
        }""",
        halves.tolist(),
    )
    with np.errstate(over="ignore"):
        wanted = halves.astype(np.float32).astype(np.float16).astype(float)
    assert np.array_equal(np.array([float(each) for each in found]), wanted)


def test_what_is_saved_and_copied(opened, classifier):
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    with Image.open(download.value.path()) as saved:
        assert saved.format == "PNG" and saved.width > 900
    page.get_by_role("button", name="Copy Python").click()
    code = page.evaluate("() => navigator.clipboard.readText()")
    lines = code.replace(
        "PIL.Image.open('chelsea.png')", f"PIL.Image.open({str(assets.path('chelsea.png'))!r})"
    )
    scope = {}
    exec(lines, scope)
    found = values(page, "live.fullMap()").reshape(224, 224)
    wanted = scope["maps"][0].numpy()
    assert np.abs(found - wanted).max() <= 1e-3 * np.ptp(wanted)


def test_on_a_telephone(opened):
    page = opened(**PHONE)
    page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate("""() => [...document.querySelectorAll('.live :is(button, select, summary, input)')]
      .filter(each => each.checkVisibility() &&
        (each.closest('.live-tick') ?? each).getBoundingClientRect().height < 44)
      .map(each => each.name || each.textContent)""")
    assert not small


@pytest.mark.parametrize("options", [{}, PHONE, {"color_scheme": "dark"}], ids=["wide", "phone", "dark"])
def test_accessible(opened, options):
    page = opened(**options)
    page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")["violations"]
    assert not [
        f"{rule['help']}: {json.dumps([node['html'][:150] for node in rule['nodes'][:3]])}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


def test_a_repainted_part_of_a_bird(opened):
    """What the network loses by it, and what the map gives to the part, are those of Python."""
    page, network = opened(loaded=True, path="bird.html"), models.load("birds_vgg")
    birds = SyntheticBirds("test", 128)
    (species,) = birds.labels(31)
    own = SPECIES[species].traits["crown"]
    picture = torch.from_numpy(
        Repainter(birds.scene(31), SPECIES[species], 128).with_trait("crown", other_traits("crown", own)[0])
    )
    images = torch.stack([birds[31].image, picture.permute(2, 0, 1) / 255])
    logits = contrastlib.autograd.predict(network, images).double()
    target, rival = logits[0].argsort(descending=True)[:2].tolist()
    page.get_by_label("Part of the bird").select_option(label="crown")
    page.get_by_label("Repaint it").select_option("0")
    page.wait_for_function("() => document.querySelector('.contrast-live').live.painted.changed")
    settled(page)
    shown = {
        row: page.locator(f"tr[data-part-quantity={row}] td").inner_text().replace("−", "-")
        for row in ("share", "logit", "lead", "logOdds")
    }
    was, now = (
        {
            "logit": y[target],
            "lead": y[target] - y[rival],
            "logOdds": contrastlib.contrasts.log_odds(y[None], target)[0],
        }
        for y in logits
    )
    for name in was:
        assert float(shown[name]) == pytest.approx((was[name] - now[name]).item(), abs=0.02), name
    heat = contrastlib.explain(network, images[:1], target, "gradcam", "among", foils=[rival])[0].numpy()
    inside = birds.annotations(31).parts["crown"]
    assert float(shown["share"]) == pytest.approx(heat[inside].sum() * 16 * 16 / 128**2, abs=0.011)


def test_what_a_repainted_part_was_is_undone_in_its_menu(opened):
    page = opened(path="bird.html")
    version = page.get_by_label("Repaint it")
    for name in ("Undo", "Reset"):
        version.select_option("0")
        page.wait_for_function("() => document.querySelector('.contrast-live').live.painted.changed")
        page.get_by_role("button", name=name).click()
        assert version.input_value() == "as it was"
    version.select_option("0")
    page.wait_for_function("() => document.querySelector('.contrast-live').live.painted.changed")
    version.select_option("1")
    page.wait_for_function(
        "() => document.querySelector('.contrast-live').live.painted.trait.version === '1'"
    )
    page.get_by_label("Part of the bird").select_option("1")
    page.wait_for_function("() => !document.querySelector('.contrast-live').live.painted.changed")
    page.get_by_role("button", name="Undo").click()
    assert (page.get_by_label("Part of the bird").input_value(), version.input_value()) == ("0", "1")


def test_every_method_and_contrast_of_a_bird_equals_python(opened):
    """Its head is no linear layer: methods differ, and the file holds the backward pass."""
    page, network = opened(loaded=True, path="bird.html"), models.load("birds_vgg")
    image = SyntheticBirds("test", 128)[31].image[None]
    record = forward(
        network,
        image,
        page.evaluate("() => document.querySelector('.contrast-live').live.header.network.layer"),
    )
    first, second, third = record.logits[0].argsort(descending=True)[:3].tolist()
    methods = page.evaluate("() => Object.keys(document.querySelector('.contrast-live').live.header.methods)")
    assert len(methods) >= 3
    for (name, contrast), method in itertools.product(offered_contrasts().items(), methods):
        state = {
            "targets": [first, second] if contrast.takes_group else [first],
            "foils": [second, third] if contrast.takes_foils else [],
            "contrast": name,
            "method": method,
        }
        page.evaluate("state => document.querySelector('.contrast-live').live.change(state)", state)
        w = contrasts.cotangent(
            name, record.logits, state["targets"] if contrast.takes_group else first, state["foils"] or None
        )
        wanted = upsample(EXPLAINERS[method].function(record, w), (128, 128))[0].numpy()
        error = np.abs(values(page, "live.fullMap()").reshape(128, 128) - wanted).max() / np.ptp(wanted)
        assert error <= 1e-3, f"{method} {name}"


def copied(page, button):
    button.click()
    return page.evaluate("() => navigator.clipboard.readText()")


def test_a_picture_that_the_network_has_not_seen(opened, tmp_path, monkeypatch):
    """Nothing of the picture before stays; the lines of Python compute the map that follows."""
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    give(page, "cup.png", assets.path("coffee.png").read_bytes(), "image/png")
    page.wait_for_function("() => !document.querySelector('.contrast-live').live.result")
    assert (
        page.locator(".live-row").count() == 0
        and "once the network has seen it" in page.locator(".live-classes").inner_text()
    )
    code = copied(page, page.get_by_role("button", name="Copy Python"))
    assert "cup.png" in code and "chelsea" not in code
    page.get_by_role("button", name="Save picture").click()
    assert (
        page.locator(".live-actions .live-status").inner_text()
        == "There is no map to save yet: load the network first."
    )
    load(page)
    page.wait_for_selector(".contrast-live[data-explains=espresso]")
    assert page.locator(".live-row").count() > 3
    (tmp_path / "cup.png").write_bytes(assets.path("coffee.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec(code, scope)
    wanted = scope["maps"][0].numpy()
    assert np.abs(values(page, "live.fullMap()").reshape(224, 224) - wanted).max() <= 2e-3 * np.ptp(wanted)


def test_back_to_the_first_picture(opened):
    """With its own question, and under its own name."""
    page = opened(loaded=True)
    asked = page.locator(".live-question").inner_text()
    give(page, "cup.png", assets.path("coffee.png").read_bytes(), "image/png")
    page.wait_for_selector(".contrast-live[data-explains=espresso]")
    page.get_by_role("button", name="Back to: A cat").click()
    page.wait_for_selector(".contrast-live[data-explains='tiger cat']")
    assert page.locator(".live-question").inner_text() == asked and "explain=282" in page.url


def test_two_networks_on_one_page(opened):
    page = opened(path="index.html", permissions=["clipboard-read", "clipboard-write"])
    cat, drawn = page.locator("#live"), page.locator("#live-birds_vgg")
    asked = drawn.locator(".live-question").inner_text()
    cat.locator("select[name=contrast]").select_option("maximum")
    drawn.locator("select[name=contrast]").select_option("mean")
    link = copied(page, cat.get_by_role("button", name="Copy link"))
    assert "#live?" in link and "contrast=maximum" in link
    assert "contrast=mean" in copied(page, drawn.get_by_role("button", name="Copy link"))
    for each in (cat, drawn):
        each.get_by_role("button", name="Load the network").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.contrast-live')].every(each => each.dataset.milliseconds)"
    )
    assert (
        cat.get_attribute("data-explains") == "tiger cat"
        and drawn.locator(".live-question").inner_text() != asked
    )
    again = opened(path="index.html", hash="#" + link.split("#")[1])
    assert again.locator("#live select[name=contrast]").input_value() == "maximum"
    assert again.locator("#live-birds_vgg .live-question").inner_text() == asked


def test_the_network_comes_from_the_cache_when_it_is_loaded_again(browser, server, tmp_path):
    """In a browser with a profile on the disk, as readers have it."""
    profile = browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=CHROMIUM, args=ARGUMENTS
    )
    page = profile.new_page()
    for _ in range(2):
        page.goto(f"{server.address}cat.html")
        page.wait_for_selector(".contrast-live[data-ready]")
        load(page)
    profile.close()
    assert sorted(name.split("?")[0].rsplit(".", 1)[1] for name in server.asked) == ["onnx", "wasm"]


def test_a_group_takes_no_foils_and_says_so(opened):
    page = opened()
    assert "Several classes" not in page.locator(".live-classes").inner_text()
    page.get_by_label("why Egyptian cat").check()
    assert (
        "Several classes under why are set against all other classes together"
        in page.locator(".live-classes").inner_text()
    )
    assert page.get_by_label("not tabby").is_disabled()
    page.get_by_label("why Egyptian cat").uncheck()
    assert page.get_by_label("not tabby").is_enabled()


def test_a_group_made_surer(opened):
    """Before rounding, the gradient of the summed probability has the direction of the group contrast."""
    page = opened(hash="#live?explain=282,285")
    page.locator(".live-surer summary").click()
    page.wait_for_selector("canvas[data-kind=float32][data-cosine]")
    assert float(page.locator("canvas[data-kind=float32]").get_attribute("data-cosine")) == pytest.approx(
        1, abs=1e-4
    )
    probability = page.locator(".live-said").inner_text().split("p = ")[1].split(",")[0]
    assert probability == table(page, "probability")[0]


def test_painting_before_the_network_is_loaded(opened):
    """What the network would say is not known, and not told."""
    page = opened()
    before, asked = table(page, "probability"), page.locator(".live-question").inner_text()
    page.locator(".live-paint").focus()
    page.keyboard.press(" ")
    assert table(page, "probability") == (before[0], "–") and table(page, "relative")[1] == "–"
    assert page.locator(".live-map").get_attribute("aria-label") == "No map yet"
    assert page.locator(".live-question").inner_text() == "What will the network say of the changed picture?"
    assert set(page.locator(".live-chance").all_inner_texts()) == {"–"}
    page.get_by_role("button", name="Undo").click()
    assert table(page, "probability") == before and page.locator(".live-question").inner_text() == asked


def fingers(page, *steps):
    """Touches, each a kind and the places of the fingers on the picture."""
    session = page.context.new_cdp_session(page)
    for kind, places in steps:
        points = [dict(zip("xy", centre(page, *place)), id=number) for number, place in places.items()]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(20)


def painted_area(page):
    return (
        (values(page, "live.painted.pixels") != values(page, "live.painted.original"))
        .reshape(224, 224, 4)
        .any(axis=2)
    )


def test_a_second_finger_does_not_paint(opened):
    page = opened(**PHONE)
    page.locator("select[name=tool]").select_option("grey")
    page.get_by_role("button", name="Paint with a finger").tap()
    page.locator(".live-paint").scroll_into_view_if_needed()
    first, second = (0.25, 0.25), (0.75, 0.75)
    fingers(
        page,
        ("touchStart", {0: first}),
        ("touchStart", {0: first, 1: second}),
        ("touchMove", {0: first, 1: (0.75, 0.6)}),
        ("touchMove", {0: (0.3, 0.25), 1: (0.75, 0.5)}),
        ("touchEnd", {}),
    )
    area = painted_area(page)
    assert area[56, 56] and area[56, 67] and not area[:, 112:].any() and not area[112:].any()


def test_a_finger_scrolls_until_it_may_paint(opened):
    page = opened(**PHONE)
    page.locator(".live-paint").scroll_into_view_if_needed()
    before = page.evaluate("() => scrollY")
    fingers(
        page,
        ("touchStart", {0: (0.5, 0.8)}),
        *(("touchMove", {0: (0.5, y / 100)}) for y in range(75, 20, -5)),
        ("touchEnd", {}),
    )
    page.wait_for_timeout(300)
    assert page.evaluate("() => scrollY") > before + 50 and not painted_area(page).any()


SEEN = """() => ['.live-paint', '.live-map'].map(each => document.querySelector(each).getBoundingClientRect())
  .map(({ left, right }) => left >= 0 && right <= innerWidth)"""


def test_a_tab_or_a_swipe_shows_the_map(opened):
    page = opened(**PHONE)
    assert page.evaluate(SEEN) == [True, False]
    page.get_by_role("button", name="B: map").tap()
    page.wait_for_function(f"() => String(({SEEN})()) === 'false,true'")
    assert page.get_by_role("button", name="B: map").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="A: picture").tap()
    page.wait_for_function(f"() => String(({SEEN})()) === 'true,false'")
    page.locator(".live-paint").scroll_into_view_if_needed()
    fingers(
        page,
        ("touchStart", {0: (0.9, 0.5)}),
        *(("touchMove", {0: (x / 100, 0.5)}) for x in range(85, 5, -5)),
        ("touchEnd", {}),
    )
    page.wait_for_function(f"() => String(({SEEN})()) === 'false,true'")
    wide = opened()
    assert not wide.locator(".live-tabs").is_visible() and wide.evaluate(SEEN) == [True, True]


@pytest.mark.parametrize("path", ["cat.html", "bird.html"])
def test_a_comparison_fits_the_screen_of_a_telephone(opened, path):
    """From the question to the tools, by which the map is compared with that of a changed picture."""
    page = opened(path=path, **PHONE)
    top, bottom = page.locator(".live-question").bounding_box(), page.locator(".live-tools").bounding_box()
    assert bottom["y"] + bottom["height"] - top["y"] <= 844


def test_words_are_explained(opened):
    page = opened()
    assert "against chosen foils, each by its probability" in page.locator(".live-about").inner_text()
    page.locator("select[name=contrast]").select_option("maximum")
    assert "against the strongest rival" in page.locator(".live-about").inner_text()
    assert (
        "log p / (1 − p)" in page.locator(".live").inner_text()
        and "no classes but tiger cat and Egyptian cat" in page.locator(".live").inner_text()
    )
    drawn = opened(path="bird.html")
    header = live_header(drawn)
    assert (
        drawn.get_by_label("Search 30 classes").get_attribute("placeholder") in header["network"]["classes"]
    )
    first, rival = (header["network"]["classes"][header["state"][key][0]] for key in ("targets", "foils"))
    assert f"Fall of the logit yₜ of {first}" in drawn.locator(".live-parts").inner_text()
    assert f"Fall of yₜ − yₛ, its lead over {rival}" in drawn.locator(".live-parts").inner_text()


def live_header(page):
    return page.evaluate("() => document.querySelector('.contrast-live').live.header")
