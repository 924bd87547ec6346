"""A form that uploads a picture and explains it with any network, in a running notebook."""

from __future__ import annotations

import tempfile
import threading
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
from traitlets import Bunch

from contrastlib import models
from contrastlib.assets import DataError
from contrastlib.explorer.display import with_html
from contrastlib.explorer.pictures import photograph
from contrastlib.explorer.widget import Explorer
from contrastlib.models import torchvision_hub

LARGE = (
    "Outside of <code>make lab</code> a picture above 10 MB may get lost: use "
    "<code>form.explain(&quot;photo.jpg&quot;)</code>."
)
"""What to do with a large picture, because a server that drops an upload tells the form nothing."""


class Stopped(Exception):
    """The reader stopped the computation."""


class OwnPicture(ipywidgets.VBox):
    """A form to upload a picture, choose a network, and explain the picture in an explorer.

    The computation runs in a thread, so the form shows its progress and can stop it. A stopped computation
    has no effect. A second picture with the same network is added to the existing explorer. On a page without
    a kernel the form is replaced by a sentence, and the explorer remains interactive.

    Args:
        network: The initial network, a name for :func:`contrastlib.models.load`.
        classes: Number of the most probable classes to list.

    Attributes:
        explorer: The :class:`Explorer`; None before the first picture.
        message: The latest message, about the progress or a problem.

    >>> form = OwnPicture("birds_vgg")
    >>> form.explain("there is no such file.jpg").join()
    >>> form.message
    'there is no file there is no such file.jpg'
    """

    def __init__(self, network: str = models.PREFERRED[0], classes: int = 12) -> None:
        """Build the form."""
        self._upload = ipywidgets.FileUpload(accept="image/*", description="Picture")
        self._network = ipywidgets.Combobox(
            value=network,
            options=[*models.MODELS, *torchvision_hub.names()],
            description="Network",
            continuous_update=False,
        )
        self._classes = ipywidgets.BoundedIntText(value=classes, min=2, max=100, description="Classes")
        self._start = ipywidgets.Button(description="Explain", button_style="primary", disabled=True)
        self._stop = ipywidgets.Button(description="Stop", disabled=True)
        self._bar = ipywidgets.FloatProgress(min=0, max=1, layout=ipywidgets.Layout(width="100%"))
        self._note = ipywidgets.HTML()
        self._result = ipywidgets.VBox()
        self._stopping = threading.Event()
        self._files = tempfile.TemporaryDirectory()
        self._used: tuple[str, int] | None = None
        self._photo: Path | None = None
        self._running: threading.Thread | None = None
        self.message = ""
        self.explorer: Explorer | None = None
        self._upload.observe(self._uploaded, "value")
        self._start.on_click(lambda _: self.explain(self._photo))
        self._stop.on_click(lambda _: self.stop())
        row = ipywidgets.Layout(flex_flow="row wrap")
        super().__init__(
            [
                ipywidgets.HBox([self._upload, self._network, self._classes], layout=row),
                ipywidgets.HBox([self._start, self._stop, ipywidgets.HTML(LARGE)], layout=row),
                self._bar,
                self._note,
                self._result,
            ]
        )

    def explain(self, photo: str | Path) -> threading.Thread:
        """Explain a picture on this machine, as the button "Explain" does with an uploaded one.

        Nothing is started while another computation runs.

        Args:
            photo: Path of the picture.

        Returns:
            The thread of the computation, or of the one that runs already. ``explain(photo).join()`` waits
            for its end.
        """
        if not self._stop.disabled:
            self._say(
                f"{Path(photo).name} is not started: another picture is being explained. "
                "Wait for it, or stop it."
            )
            return self._running
        self._stopping.clear()
        self._photo = Path(photo)
        self._busy(True)
        self._say("Loading the network …")
        self._running = threading.Thread(target=self._work, args=(self._photo,), daemon=True)
        self._running.start()
        return self._running

    def stop(self) -> None:
        """Stop a running computation after its current step."""
        self._stopping.set()

    @property
    def knowledge(self) -> str:
        """What the network of the explorer knows, or an empty string before the first picture."""
        return models.knows(self.explorer.networks[0]) if self.explorer else ""

    def _work(self, photo: Path) -> None:
        try:
            self._show(photo)
            self._say(
                f"{photo.name} is explained. Upload another picture, or choose another network and press "
                "Explain."
            )
        except Stopped:
            self._say("Stopped.")
        except DataError as error:
            other = models.instead(self._network.value)
            self._say(f"{error} Or use {other}, which is here." if other else str(error), problem=True)
        except (ValueError, TypeError, ArithmeticError, OSError) as error:
            self._say(str(error), problem=True)
        except (MemoryError, RuntimeError) as error:  # torch raises a RuntimeError if memory is short
            remedy = "If memory is short, list fewer classes, or choose a smaller network."
            self._say(f"{error}. {remedy}", problem=True)
        except Exception as error:  # the traceback of a thread is not visible in a notebook
            self._say(f"Unexpected {type(error).__name__}: {error}", problem=True)
            raise
        finally:
            self._busy(False)

    def _show(self, photo: Path) -> None:
        picture, wanted = photograph(photo), (self._network.value, self._classes.value)
        if self.explorer and self._used == wanted:
            self.explorer.add(picture, progress=self._progress)
            return
        panes = [{"contrast": "original"}, {"contrast": "weighted"}]
        explorer = Explorer(
            [picture],
            [wanted[0]],
            classes=wanted[1],
            name="own-picture",
            panes=panes,
            progress=self._progress,
        )
        self.explorer, self._used = explorer, wanted
        self._result.children = [ipywidgets.HTML(f"<p>{escape(self.knowledge)}</p>"), explorer]

    def _progress(self, share: float) -> None:
        if self._stopping.is_set():
            raise Stopped
        self._bar.value = share
        self._say(f"{share:.0%} of the maps are computed.")

    def _uploaded(self, change: Bunch) -> None:
        if change.new:
            file = change.new[0]
            self._photo = Path(self._files.name) / Path(file["name"]).name
            self._photo.write_bytes(bytes(file["content"]))
            self._start.disabled = not self._stop.disabled  # disabled while another picture is explained
            if self._stop.disabled:
                self._say(f"{file['name']} is uploaded.")

    def _busy(self, busy: bool) -> None:
        self._start.disabled = busy or not (self._photo and self._photo.is_file())
        self._stop.disabled = not busy
        self._bar.value = 0 if busy else self._bar.value

    def _say(self, text: str, problem: bool = False) -> None:
        self.message = text
        text = escape(text)
        self._note.value = f'<b role="alert">{text}</b>' if problem else f"<span>{text}</span>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**options)
        sentence = (
            "In a running notebook (<code>make lab</code>), a form to upload a picture and choose a "
            "network appears here."
        )
        shown = f"<p>{escape(self.knowledge)}</p>{self.explorer.static_html()}" if self.explorer else ""
        html = f'<p class="controls">{sentence}</p>{shown}'
        return with_html(bundle | {"text/plain": "OwnPicture"}, html)
