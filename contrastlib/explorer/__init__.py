"""The contrast explorer: two maps of a picture side by side, of any contrast, in a page or live.

Because a contrast is a weighted sum over classes, the maps of each class and the logits are enough to show all
of them: Python gathers and packs those, and the browser computes the rest.
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

__all__ = ["Explorer", "OwnPicture", "Picture", "bird", "bird_scene", "first_birds", "first_scenes", "of_set", "photograph"]
