"""Small trees in the formats of the papers' data sets, of images whose box is white on black."""

import json

import numpy as np
import torch
from PIL import Image
from scipy.io import savemat

SIZES = [(60, 40), (40, 70), (50, 50)]  # width, height
BOXES = [(20, 10, 40, 32), (5, 30, 25, 50), (10, 5, 45, 20)]  # x0, y0, x1, y1
BIRDS = ["001.Snow_Owl", "002.Reed_Wren"]


def photograph(path, number):
    """Image ``number``: its box is white, all else black."""
    (width, height), (x0, y0, x1, y1) = SIZES[number % 3], BOXES[number % 3]
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[y0:y1, x0:x1] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def cub(root, count=8):
    """CUB-200-2011: every fourth image tests, two classes in turn, the beak at the centre of the box."""
    folder = root / "CUB_200_2011"
    tables = ("images", "image_class_labels", "train_test_split", "bounding_boxes", "part_locs")
    rows = {name: [] for name in tables}
    for number in range(count):
        species, key = number // 2 % 2, number + 1
        file = f"{BIRDS[species]}/{number}.jpg"
        photograph(folder / "images" / file, number)
        x0, y0, x1, y1 = BOXES[number % 3]
        rows["images"].append(f"{key} {file}")
        rows["image_class_labels"].append(f"{key} {species + 1}")
        rows["train_test_split"].append(f"{key} {int(number % 4 > 0)}")
        rows["bounding_boxes"].append(f"{key} {x0}.0 {y0}.0 {x1 - x0}.0 {y1 - y0}.0")
        rows["part_locs"] += [f"{key} 1 {(x0 + x1) / 2} {(y0 + y1) / 2} 1", f"{key} 2 0.0 0.0 0"]
    (folder / "parts").mkdir()
    rows["classes"] = [f"{number} {name}" for number, name in enumerate(BIRDS, 1)]
    rows["parts"] = ["1 beak", "2 left eye"]
    for name, lines in rows.items():
        place = "parts" if name.startswith("part") else "."
        (folder / place / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def imagenet(root):
    """ILSVRC2012's validation set as torchvision unpacks it, two classes, with bounding boxes."""
    folder = root / "imagenet"
    names = {"n02": ("wren", "Troglodytes"), "n01": ("owl",)}
    for number, wnid in enumerate(["n02", "n01", "n02"]):
        stem = f"ILSVRC2012_val_{number:08d}"
        photograph(folder / "val" / wnid / f"{stem}.JPEG", number)
        named = zip(("xmin", "ymin", "xmax", "ymax"), BOXES[number])
        sides = "".join(f"<{side}>{at}</{side}>" for side, at in named)
        boxes = folder / "ILSVRC2012_bbox_val_v3" / "val"
        boxes.mkdir(parents=True, exist_ok=True)
        outside = "<xmin>0</xmin><ymin>0</ymin><xmax>1</xmax><ymax>1</ymax>"
        objects = [f"<object><name>{wnid}</name><bndbox>{box}</bndbox></object>" for box in (sides, outside)]
        (boxes / f"{stem}.xml").write_text(f"<annotation>{''.join(objects)}</annotation>")
    torch.save((names, ["n02", "n01", "n02"]), folder / "meta.bin")
    return folder


def aircraft(root):
    folder = root / "fgvc-aircraft-2013b" / "data"
    for number in range(3):
        photograph(folder / "images" / f"{number}.jpg", number)
    (folder / "variants.txt").write_text("707-320\nA300 B4\n")
    (folder / "images_variant_test.txt").write_text("0 A300 B4\n2 707-320\n")


def food(root):
    folder = root / "food-101"
    photograph(folder / "images" / "ramen" / "0.jpg", 0)
    photograph(folder / "images" / "apple_pie" / "1.jpg", 2)
    (folder / "meta").mkdir()
    listed = {"ramen": ["ramen/0"], "apple_pie": ["apple_pie/1"]}
    (folder / "meta" / "test.json").write_text(json.dumps(listed))


def flowers(root):
    folder = root / "flowers-102"
    for number in (1, 2, 3):
        photograph(folder / "jpg" / f"image_{number:05d}.jpg", number - 1)
    savemat(folder / "setid.mat", {"trnid": [[2, 2]], "valid": [[2, 2]], "tstid": [[1, 3]]})
    savemat(folder / "imagelabels.mat", {"labels": [[2, 9, 1]]})


def cars(root):
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    record = np.zeros(2, dtype=[("fname", object), ("class", np.uint8)])
    for number in range(2):
        photograph(folder / "cars_test" / f"{number}.jpg", 2 * number)
        record[number] = f"{number}.jpg", 2 - number
    savemat(folder / "cars_test_annos_withlabels.mat", {"annotations": record})
    names = np.array(["Audi S4", "Fiat 500"], dtype=object)
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": names})
