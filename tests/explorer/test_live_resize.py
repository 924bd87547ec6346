"""How a page with a live network resizes pictures, in Node: as Pillow does."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import InterpolationMode

from contrastlib.datasets.base import crop
from contrastlib.explorer.live import site

NODE = Path(sys.executable).with_name("node")
RUN = """
import { readFileSync } from "node:fs";
import { centreCrop } from "./resize.js";
const { pixels, width, height, network } = JSON.parse(readFileSync(0));
console.log(JSON.stringify([...centreCrop(pixels, width, height, network)]));
"""


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("width, height", [(90, 67), (31, 40)])
def test_pixels_are_those_of_python(tmp_path, interpolation, width, height):
    shutil.copy(site.SCRIPTS / "resize.js", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(RUN)
    values = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
    network = {"resize": 36, "size": 32, "interpolation": interpolation}
    given = {"pixels": values.ravel().tolist(), "width": width, "height": height, "network": network}
    done = subprocess.run(
        [NODE, tmp_path / "run.js"], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    found = np.array(json.loads(done.stdout)).reshape(32, 32, 4)[..., :3]
    wanted = crop(Image.fromarray(values[..., :3]), 36, 32, interpolation=InterpolationMode(interpolation))
    assert np.array_equal(found, wanted.mul(255).round().permute(1, 2, 0).numpy())
