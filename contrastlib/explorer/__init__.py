"""The contrast explorer: an interactive figure of two maps side by side, for static pages and notebooks.

A contrast is a weighted sum over classes. So the maps of each class and the logits determine the maps of all
contrasts of a linear method. Python computes and compresses them, and the browser computes the weighted sums.

What is explained and offered:

- :mod:`~contrastlib.explorer.pictures`: drawn birds, images of data sets, photographs
- :mod:`~contrastlib.explorer.methods`: methods that apply to a network
- :mod:`~contrastlib.explorer.initial_state`: arguments and initial state
- :mod:`~contrastlib.explorer.tour`: a tour in four steps

What is computed and stored:

- :mod:`~contrastlib.explorer.content`: header and chunks of an explorer
- :mod:`~contrastlib.explorer.maps`: maps of each class, and of all other classes together
- :mod:`~contrastlib.explorer.ranking`: a basis of cotangents for all contrasts
- :mod:`~contrastlib.explorer.pooling`: sums of pixel maps over squares
- :mod:`~contrastlib.explorer.masked`: effects of masking
- :mod:`~contrastlib.explorer.packing`: compression to bytes
- :mod:`~contrastlib.explorer.arithmetic`: the arithmetic of the browser in Python

How it is shown:

- :mod:`~contrastlib.explorer.widget`: the widget and its HTML
- :mod:`~contrastlib.explorer.upload_form`: a form that uploads a picture in a notebook
- :mod:`~contrastlib.explorer.display`: what a notebook keeps of a widget
- :mod:`~contrastlib.explorer.static_fallback`: an image of the initial state
- :mod:`~contrastlib.explorer.bundle`: the scripts in one
- :mod:`~contrastlib.explorer.snippets`: Python code of a map
- :mod:`~contrastlib.explorer.policy`: Content-Security-Policy of its pages

Networks in the browser:

- :mod:`~contrastlib.explorer.export`: networks as ONNX files
- :mod:`~contrastlib.explorer.heads`: heads of networks that give the maps of all classes
- :mod:`~contrastlib.explorer.live`: a page that runs a network
"""

from contrastlib.explorer.pictures import (
    Picture,
    bird,
    bird_scene,
    first_birds,
    first_scenes,
    of_set,
    photograph,
)
from contrastlib.explorer.upload_form import OwnPicture
from contrastlib.explorer.widget import Explorer

__all__ = [
    "Explorer",
    "OwnPicture",
    "Picture",
    "bird",
    "bird_scene",
    "first_birds",
    "first_scenes",
    "of_set",
    "photograph",
]
