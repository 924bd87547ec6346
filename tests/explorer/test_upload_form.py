"""The form for pictures of one's own, driven as its reader does it."""

import html
import io
import threading
from datetime import UTC, datetime

import ipywidgets
import pytest
from PIL import Image

from contrastlib import assets, datasets, models
from contrastlib.explorer import OwnPicture, upload_form


@pytest.fixture
def form():
    return OwnPicture("birds_resnet", classes=3)


def upload(form, name="bird.png", content=None):
    if content is None:
        buffer = io.BytesIO()
        Image.fromarray(datasets.load("birds", split="test", size=200).picture(5)).save(buffer, "PNG")
        content = buffer.getvalue()
    form._upload.value = (
        {
            "name": name,
            "type": "image/png",
            "size": len(content),
            "content": memoryview(content),
            "last_modified": datetime.now(UTC),
        },
    )


def click(button):
    """Press it, and wait until the computation that it began has ended."""
    before = set(threading.enumerate())
    button.click()
    for thread in set(threading.enumerate()) - before:
        thread.join()


def test_upload_and_explain(form):
    assert form._start.disabled and form.explorer is None
    upload(form)
    assert not form._start.disabled and "bird.png is uploaded" in form.message
    click(form._start)
    assert "is explained" in form.message and form._bar.value == 1
    assert form._result.children[-1] is form.explorer
    assert form.explorer.map(1).shape == (16, 16)
    assert not form._start.disabled and form._stop.disabled


def test_the_form_says_what_to_do_with_large_pictures(form):
    """A server that drops an upload tells the form nothing."""
    buttons = next(row for row in form.children if form._start in row.children)
    text = next(each.value for each in buttons.children if isinstance(each, ipywidgets.HTML))
    assert "above 10 MB" in text and 'form.explain("photo.jpg")' in html.unescape(text)


def test_second_picture_joins_the_first(form):
    for name in ("one.png", "two.png"):
        upload(form, name)
        click(form._start)
    first = form.explorer
    assert [picture.title for picture in first.pictures] == ["one", "two"] and first.state["picture"] == 1
    form._network.value = "birds_alexnet"
    click(form._start)
    assert form.explorer is not first and form.explorer.networks[0].name == "birds_alexnet"


def test_stop(form, monkeypatch):
    """Stopped in the middle, it says so, keeps what was there, and can start again."""
    upload(form)
    click(form._start)
    kept = form.explorer
    shares = []

    def stop_soon(share, progress=form._progress):
        shares.append(share)
        if len(shares) == 2:
            form.stop()
        progress(share)

    monkeypatch.setattr(form, "_progress", stop_soon)
    click(form._start)
    assert form.message == "Stopped." and len(shares) == 2 and shares[-1] < 1
    assert form.explorer is kept and len(kept.pictures) == 1 and not form._start.disabled


@pytest.mark.parametrize("name, content, network, complaint", [
    ("notes.txt", b"no picture", "birds_resnet", "not a picture"),
    ("half.png", b"\x89PNG\r\n\x1a\n", "birds_resnet", "half.png"),
    ("bird.png", None, "birds_vgh", "birds_vgg"),
])  # fmt: skip
def test_problems_are_told(form, name, content, network, complaint):
    upload(form, name, content)
    form._network.value = network
    click(form._start)
    assert complaint in form.message and 'role="alert"' in form._note.value
    assert form.explorer is None and not form._start.disabled


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error, complaint", [
    (RuntimeError("not enough memory: you tried to allocate 99999999999 bytes"), "fewer classes"),
    (FloatingPointError("the relevance overflows at features.3"), "the relevance overflows at features.3"),
    (KeyError("features.3"), "Unexpected KeyError: 'features.3'"),
])  # fmt: skip
def test_problems_of_the_computation_are_told(form, monkeypatch, error, complaint):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(upload_form, "Explorer", fail)
    upload(form)
    click(form._start)
    assert complaint in form.message and 'role="alert"' in form._note.value and not form._start.disabled


def test_picture_that_comes_during_a_computation_waits(form, monkeypatch):
    upload(form, "first.png")

    def upload_meanwhile(share, progress=form._progress):
        upload(form, "second.png")
        assert form._start.disabled and not form._stop.disabled
        progress(share)

    monkeypatch.setattr(form, "_progress", upload_meanwhile)
    click(form._start)
    assert "first.png is explained" in form.message and not form._start.disabled
    assert form._photo.name == "second.png"


def test_one_picture_at_a_time(form, monkeypatch):
    """A second one is refused with a word, not lost, and can be explained afterwards."""
    begun, wait = threading.Event(), threading.Event()

    def slow(share, progress=form._progress):
        begun.set()
        assert wait.wait(timeout=60)
        progress(share)

    monkeypatch.setattr(form, "_progress", slow)
    pictures = [form._photo.with_name(name) for name in ("one.png", "two.png") if not upload(form, name)]
    running = form.explain(pictures[0])
    assert begun.wait(timeout=60)
    assert form.explain(pictures[1]) is running
    assert (
        form.message == "two.png is not started: another picture is being explained. Wait for it, or stop it."
    )
    wait.set()
    running.join()
    assert "one.png is explained" in form.message
    form.explain(pictures[1]).join()
    assert [picture.title for picture in form.explorer.pictures] == ["one", "two"]


def test_a_result_says_what_its_network_knows(form):
    """Live and on a page: a network for drawn birds names one for any picture."""
    assert form.knowledge == ""
    upload(form)
    click(form._start)
    form._network.value = "efficientnet_lite0"  # chosen, not yet used
    assert form.knowledge.startswith(
        "small ResNet knows the 30 species that contrastlib draws itself and nothing else"
    )
    assert form.knowledge in form._result.children[0].value
    assert form.knowledge in form._repr_mimebundle_()["text/html"]


def test_the_picture_of_a_notebook_can_be_explained_again(form, tmp_path):
    """Explain is there for a picture that came without an upload, and not for one that does not exist."""
    form.explain(tmp_path / "absent.png").join()
    assert form._start.disabled
    Image.new("RGB", (150, 130), "olive").save(tmp_path / "plain.png")
    form.explain(tmp_path / "plain.png").join()
    assert not form._start.disabled
    form._network.value = "birds_alexnet"
    click(form._start)
    assert [each.name for each in form.explorer.networks] == ["birds_alexnet"]


@pytest.mark.parametrize(
    "other, said",
    [("efficientnet_lite0", "Or use efficientnet_lite0, which is here."), (None, "put it there")],
)
def test_missing_weights_name_a_network_that_is_here(form, monkeypatch, other, said):
    def missing(*_, **__):
        raise assets.MissingFile("weights.pth is not here: put it there")

    monkeypatch.setattr(upload_form, "Explorer", missing)
    monkeypatch.setattr(models, "instead", lambda name: other)
    upload(form)
    click(form._start)
    assert form.message.startswith("weights.pth is not here") and form.message.endswith(said)


def test_still(form):
    """A page says where the form works, and shows the explorer."""
    assert "make lab" in form._repr_mimebundle_()["text/html"]
    upload(form)
    click(form._start)
    assert 'data-explorer="own-picture"' in form._repr_mimebundle_()["text/html"]
