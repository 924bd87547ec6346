"""Controls: driven through their traits, as a browser drives them."""

import asyncio
import base64
import io
import re

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel
from PIL import Image

from contrastlib.report.figures.controls import PAUSE, Controls

GREY = {"black": 0.0, "grey": 0.5, "white": 1.0}


@pytest.fixture
def drawn():
    """What was drawn so far, and a function that draws it."""
    calls = []

    def draw(colour=0.0, width=2, framed=True):
        calls.append((colour, width, framed))
        if width == 5:
            raise ValueError("no such <width>")
        figure = plt.figure(figsize=(width, 1))
        figure.patch.set_facecolor(str(colour))
        return figure

    return calls, draw


def widget(controls, name):
    return next(w for w in controls.kwargs_widgets if w.description == name)


def note(controls):
    return controls.children[1].value


def pixels(html):
    """The colour of the picture in some HTML, and how much wider than high it is."""
    png = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', html)[1])
    picture = np.asarray(Image.open(io.BytesIO(png)))
    return picture[..., :3].mean() / 255, picture.shape[1] / picture.shape[0]


def test_a_change_draws_again(drawn):
    calls, draw = drawn
    controls = Controls(draw, "A {colour} box, framed: {framed}.", colour=GREY, width=(1, 5))
    assert calls == [(0.0, 2, True)] and not plt.get_fignums()
    assert pixels(controls.children[2].value) == (0, pytest.approx(2, rel=0.15))
    widget(controls, "colour").value = 1.0
    widget(controls, "width").value = 3
    widget(controls, "framed").value = False
    assert calls[1:] == [(1.0, 2, True), (1.0, 3, True), (1.0, 3, False)]
    assert pixels(controls.children[2].value) == (1, pytest.approx(3, rel=0.15))
    assert 'alt="A white box, framed: no."' in controls.children[2].value
    assert not note(controls)


def test_errors(drawn):
    """After a change they are shown, and the next good value removes them; the first drawing raises them."""
    _, draw = drawn
    controls = Controls(draw, "A box.", width=(1, 5))
    before = controls.children[2].value
    widget(controls, "width").value = 5
    assert "ValueError: no such &lt;width&gt;" in note(controls) and 'role="alert"' in note(controls)
    assert controls.children[2].value == before
    widget(controls, "width").value = 4
    assert not note(controls) and controls.children[2].value != before
    with pytest.raises(ValueError, match="no such"):
        Controls(draw, "A box.", width=ipywidgets.fixed(5))
    with pytest.raises(ValueError, match="shape"):
        Controls(lambda shape: None, "A box.")


def test_quick_changes_draw_once(drawn):
    """In a kernel, which has an event loop, the note stands until the last of several changes is drawn."""
    calls, draw = drawn

    async def use():
        controls = Controls(draw, "A box.", width=(1, 4))
        for width in (1, 3, 4):
            widget(controls, "width").value = width
            assert note(controls) == "computing …"
        await asyncio.sleep(3 * PAUSE)
        return controls

    controls = asyncio.run(use())
    assert calls == [(0.0, 2, True), (0.0, 4, True)]
    assert not note(controls)


def test_still(drawn):
    """The still shows the present values and says so; no script, no control, nothing of another host."""
    _, draw = drawn
    controls = Controls(draw, 'The "box" is {colour}.', colour=GREY, width=(1, 5))
    widget(controls, "colour").value = 0.5
    data = controls._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data  # what a live JupyterLab shows
    still = data["text/html"]
    assert pixels(still) == (pytest.approx(0.5, abs=0.01), pytest.approx(2, rel=0.15))
    assert 'alt="The &quot;box&quot; is grey."' in still
    assert "<figcaption>The &quot;box&quot; is grey. The controls (colour, width, framed) redraw it" in still
    assert "<code>make lab</code>" in still
    assert not re.search(r"<(script|input|select|button|a)\b|http", still)
    assert data == controls._repr_mimebundle_()


def test_sliders_wait_for_the_end(drawn):
    _, draw = drawn
    controls = Controls(draw, "A box.", width=ipywidgets.IntSlider(2, 1, 5))
    assert not widget(controls, "width").continuous_update


CELL = """
import matplotlib.pyplot as plt
from contrastlib.report.figures.controls import Controls
drawn = []
def draw(width=1):
    drawn.append(width)
    return plt.figure(figsize=(width, 1))
controls = Controls(draw, "A box of width {width}.", width=(1, 9))
print(controls.kwargs_widgets[0].model_id, controls.children[2].model_id)
"""


@pytest.fixture
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_in_a_kernel(kernel):
    """What a browser sends comes back as a new picture, after the last of several changes."""

    def messages(kind):
        while True:
            message = kernel.get_iopub_msg(timeout=120)
            if message["msg_type"] == kind:
                yield message["content"]

    def printed():
        """A line, which can arrive in parts."""
        text = ""
        while not text.endswith("\n"):
            text += next(messages("stream"))["text"]
        return text

    kernel.execute(CELL)
    slider, picture = printed().split()
    for width in (2, 3, 4):
        data = {"method": "update", "state": {"value": width}, "buffer_paths": []}
        kernel.shell_channel.send(kernel.session.msg("comm_msg", {"comm_id": slider, "data": data}))
    html = next(
        content["data"]["state"]["value"] for content in messages("comm_msg") if content["comm_id"] == picture
    )
    assert 'alt="A box of width 4."' in html
    kernel.execute("print(drawn)")
    assert printed() == "[1, 4]\n"
