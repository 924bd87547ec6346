"""The contrast explorer: an interactive figure of two maps side by side, for static pages and notebooks.

A contrast is a weighted sum over classes. So the maps of each class and the logits determine the maps of all
contrasts of a linear method. Python computes and compresses them, and the browser computes the weighted sums.
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
