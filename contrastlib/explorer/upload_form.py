"""A form to upload a picture and explore it with any network, live in a notebook."""

from __future__ import annotations

import tempfile
import threading
from html import escape
from pathlib import Path

import ipywidgets

from contrastlib import models
from contrastlib.assets import DataError
from contrastlib.explorer.pictures import photograph
from contrastlib.explorer.widget import Explorer
from contrastlib.models import torchvision_hub


class Stopped(Exception):
    """The reader does not want to wait any longer."""


class OwnPicture(ipywidgets.VBox):
    """Upload a picture, name a network, and explore: a form with progress, a stop and the explorer.

    The computation runs beside the kernel, so that it can be watched and stopped; nothing of a stopped one is
    kept. A second picture with the same network joins the first in its explorer. On a page without a kernel the
    form says where it works, and the explorer works as it stands.

    Args:
        network: the first choice; a name for :func:`contrastlib.models.load`.
        classes: how many of the most probable classes are listed.

    Attributes:
        explorer: the :class:`Explorer`, None before the first picture.
        message: what went wrong with the latest picture, or how it went.

    >>> form = OwnPicture("birds_vgg")
    >>> form.explain("there is no such file.jpg").join()
    >>> form.message
    'there is no file there is no such file.jpg'
    """

    def __init__(self, network: str = models.PREFERRED[0], classes: int = 12):
        self._upload = ipywidgets.FileUpload(accept="image/*", description="Picture")
        self._network = ipywidgets.Combobox(
            value=network, options=[*models.MODELS, *torchvision_hub.names()], description="Network", continuous_update=False)
        self._classes = ipywidgets.BoundedIntText(value=classes, min=2, max=100, description="Classes")
        self._start = ipywidgets.Button(description="Explain", button_style="primary", disabled=True)
        self._stop = ipywidgets.Button(description="Stop", disabled=True)
        self._bar = ipywidgets.FloatProgress(min=0, max=1, layout=ipywidgets.Layout(width="100%"))
        self._note = ipywidgets.HTML()
        self._place = ipywidgets.VBox()
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
        super().__init__([
            ipywidgets.HBox([self._upload, self._network, self._classes], layout=row),
            ipywidgets.HBox([self._start, self._stop]), self._bar, self._note, self._place,
        ])

    def explain(self, photo: str | Path) -> threading.Thread:
        """Explain a picture of this machine, as "Explain" does with an uploaded one.

        Returns:
            The computation, which goes on beside the caller: ``explain(photo).join()`` waits for its end. While
            another one runs nothing is begun, and it is that one.
        """
        if not self._stop.disabled:
            self._say(f"{Path(photo).name} is not begun: another picture is being explained. Wait, or stop that one.")
            return self._running
        self._stopping.clear()
        self._photo = Path(photo)
        self._busy(True)
        self._say("The network is loaded …")
        self._running = threading.Thread(target=self._work, args=(self._photo,), daemon=True)
        self._running.start()
        return self._running

    def stop(self) -> None:
        """End a computation after its present step; does nothing when there is none."""
        self._stopping.set()

    @property
    def knowledge(self) -> str:
        """What the network of the explorer knows, in a sentence; empty before the first picture."""
        return models.knows(self.explorer.networks[0]) if self.explorer else ""

    def _work(self, photo: Path):
        try:
            self._show(photo)
            self._say(f"{photo.name} is explained. Upload another picture, or choose another network and press Explain.")
        except Stopped:
            self._say("Stopped.")
        except DataError as error:
            other = models.instead(self._network.value)
            self._say(f"{error} Or use {other}, which is here." if other else str(error), problem=True)
        except (ValueError, TypeError, ArithmeticError, OSError) as error:
            self._say(str(error), problem=True)
        except (MemoryError, RuntimeError) as error:  # torch reports too little memory as a RuntimeError
            self._say(f"{error}. If memory is short, list fewer classes, or choose a smaller network.", problem=True)
        except Exception as error:  # the reader sees no traceback of a thread
            self._say(f"Unexpected {type(error).__name__}: {error}", problem=True)
            raise
        finally:
            self._busy(False)

    def _show(self, photo: Path):
        picture, wanted = photograph(photo), (self._network.value, self._classes.value)
        if self.explorer and self._used == wanted:
            self.explorer.add(picture, progress=self._progress)
            return
        explorer = Explorer([picture], [wanted[0]], classes=wanted[1], name="own-picture", progress=self._progress,
                            panes=[{"contrast": "original"}, {"contrast": "weighted"}])
        self.explorer, self._used = explorer, wanted
        self._place.children = [ipywidgets.HTML(f"<p>{escape(self.knowledge)}</p>"), explorer]

    def _progress(self, share: float):
        if self._stopping.is_set():
            raise Stopped
        self._bar.value = share
        self._say(f"{share:.0%} of the maps are there.")

    def _uploaded(self, change):
        if change.new:
            given = change.new[0]
            self._photo = Path(self._files.name) / Path(given["name"]).name
            self._photo.write_bytes(bytes(given["content"]))
            self._start.disabled = not self._stop.disabled  # while another is computed, it waits
            if self._stop.disabled:
                self._say(f"{given['name']} is here.")

    def _busy(self, busy: bool):
        self._start.disabled = busy or not (self._photo and self._photo.is_file())
        self._stop.disabled = not busy
        self._bar.value = 0 if busy else self._bar.value

    def _say(self, text: str, problem: bool = False):
        self.message = text
        self._note.value = f'<b role="alert">{escape(text)}</b>' if problem else f"<span>{escape(text)}</span>"

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        words = ("A form to upload a picture, choose a network and stop a long computation stands here where the "
                 "notebook runs: <code>make lab</code>.")
        shown = f"<p>{escape(self.knowledge)}</p>{self.explorer.static_html()}" if self.explorer else ""
        return bundle | {"text/plain": "OwnPicture", "text/html": f'<p class="controls">{words}</p>{shown}'}
