"""The papers' data sets, on small trees of their formats: order, labels, boxes, what is missing."""

import hashlib
import random
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import paper_trees as trees
import pytest
import torch
from file_server import serving
from PIL import Image
from scipy.io import savemat

from contrastlib import assets, datasets
from contrastlib.__main__ import main
from contrastlib.datasets import listed, sources

MAKERS = {
    "fgvc-aircraft": trees.aircraft,
    "food101": trees.food,
    "flowers102": trees.flowers,
    "stanford-cars": trees.cars,
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    return tmp_path


def white(image):
    """The box of the white pixels (x0, y0, x1, y1) of an image (3, H, W)."""
    ys, xs = torch.nonzero(image.mean(0) > 0.5, as_tuple=True)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def test_cub_in_its_own_layout(root):
    trees.cub(root)
    train, test = datasets.load("cub200", split="train"), datasets.load("cub200")
    assert train.class_names == ["Snow Owl", "Reed Wren"]
    assert [name for name, _ in test.entries] == ["001.Snow_Owl/0.jpg", "001.Snow_Owl/4.jpg"]
    assert [label for _, label in train.entries] == [0, 1, 1, 0, 1, 1]
    assert train[0].image.shape == (3, 224, 224) and train[1].group == 1
    assert train.checksum != test.checksum


@pytest.mark.parametrize("options", [
    {}, {"crop": 30}, {"resize": 80, "crop": 75}, {"resize": 90, "crop": 60, "crops": 5},
])  # fmt: skip
def test_boxes_and_parts_follow_the_picture(root, options):
    trees.cub(root)
    images = datasets.load("cub200", split="train", **options)
    found = 0
    for index in range(len(images)):
        for note in images.annotations(index):
            assert np.allclose(note.box, white(images[index].image), atol=1.5)
            painted = images[index].image.mean(0) > 0.5
            assert (images.mask(index) == painted).double().mean() > 0.9
            for x, y in note.parts.values():
                assert images[index].image[:, int(y), int(x)].mean() > 0.8
            found += 1 + len(note.parts)
    assert found > len(images)
    whole = datasets.load("cub200", split="train", resize=90, crop=90).annotations(0)
    assert set(whole[0].parts) == {"beak"}


def test_imagenet_as_torchvision_unpacks_it(root):
    trees.imagenet(root)
    images = datasets.load("imagenet-val", resize=40, crop=38)
    assert images.class_names == ["owl", "wren, Troglodytes"]
    assert [(each.name, each.label) for each in images] == [
        ("val/n01/ILSVRC2012_val_00000001.JPEG", 0), ("val/n02/ILSVRC2012_val_00000000.JPEG", 1),
        ("val/n02/ILSVRC2012_val_00000002.JPEG", 1)]  # fmt: skip
    for index in range(3):
        (note,) = images.annotations(index)  # the other object lies outside of the crop
        assert note.label == images[index].label and note.parts == {}
        assert np.allclose(note.box, white(images[index].image), atol=1.5)
    assert datasets.load("imagenet-val")[0].image.shape == (3, 224, 224)


def test_imagenet_without_its_boxes(root):
    folder = trees.imagenet(root)
    with_boxes = datasets.load("imagenet-val")
    checksums = with_boxes.checksum, with_boxes.annotation_checksum
    (folder / "ILSVRC2012_bbox_val_v3").rename(folder / "elsewhere")
    images = datasets.load("imagenet-val")
    assert images.checksum == checksums[0]  # most evaluations do without boxes
    assert images.annotation_checksum != checksums[1]
    with pytest.raises(assets.MissingFile, match="val_00000001 are not in .*get ILSVRC2012_bbox_val_v3.tgz"):
        images.annotations(0)


def test_imagenet_with_a_class_missing(root):
    folder = trees.imagenet(root)
    (folder / "val" / "n01").rename(folder / "n01")
    with pytest.raises(assets.CorruptFile, match="holds 1 classes, and not the 2 of meta.bin"):
        datasets.load("imagenet-val")


@pytest.mark.parametrize("name, classes, labels", [
    ("fgvc-aircraft", ["707-320", "A300 B4"], [1, 0]), ("food101", ["apple_pie", "ramen"], [1, 0]),
    ("flowers102", None, [1, 0]), ("stanford-cars", ["Audi S4", "Fiat 500"], [1, 0]),
])  # fmt: skip
def test_sets_of_torchvision(root, monkeypatch, name, classes, labels):
    MAKERS[name](root)
    checked = "torchvision.datasets.flowers102.check_integrity"
    monkeypatch.setattr(checked, lambda path, md5: Path(path).exists())
    images = datasets.load(name)
    assert images.name == name and len(images) == 2
    assert [example.label for example in images] == labels
    with pytest.raises(ValueError, match=f"no boxes are read for {name}: imagenet-val and cub200 have them"):
        images.annotations(0)
    assert len(images.class_names) == 102 if classes is None else images.class_names == classes
    assert all(isinstance(label, int) for _, label in images.entries)
    # squeezed: the box keeps its share of both sides
    x0, y0, x1, y1 = (side / 224 for side in white(images[0].image))
    assert (x0, y0, x1, y1) == pytest.approx((20 / 60, 10 / 40, 40 / 60, 32 / 40), abs=0.02)


def test_photographs_are_not_turned(root):
    path = trees.cub(root) / "images" / trees.BIRDS[0] / "0.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer turns it by 90 degrees
    with Image.open(path) as image:
        image.load()
    image.save(path, exif=exif, quality=95)
    images = datasets.load("cub200")
    assert np.allclose(images.annotations(0)[0].box, white(images[0].image), atol=1.5)


def test_checksum_follows_sizes_labels_and_boxes(root):
    folder = trees.cub(root)
    first = datasets.load("cub200").checksum
    assert datasets.load("cub200", resize=60, crop=40).checksum == first
    for file in (folder / "images" / trees.BIRDS[0] / "4.jpg", folder / "bounding_boxes.txt"):
        before = file.read_bytes()
        file.write_bytes(before + b" ")
        assert datasets.load("cub200").checksum != first
        file.write_bytes(before)
    assert datasets.load("cub200").checksum == first


@pytest.mark.parametrize("name", sources.papers())
def test_what_is_missing_is_named(root, name):
    with pytest.raises(assets.MissingFile, match=f"{name} .* is not complete") as error:
        datasets.load(name)
    source = sources.papers()[name]
    for part in (name, source.what, source.source, str(root / source.folder)):
        assert part in str(error.value)


@pytest.mark.parametrize("file", ["images.txt", "classes.txt", "bounding_boxes.txt", "parts/part_locs.txt"])
def test_a_missing_table_of_cub_is_named(root, file):
    (trees.cub(root) / file).unlink()
    with pytest.raises(assets.MissingFile, match=f"{file} is not there"):
        _ = datasets.load("cub200").checksum


@pytest.mark.parametrize(
    "name, make", [("cub200", trees.cub), ("imagenet-val", trees.imagenet), *MAKERS.items()]
)
def test_a_set_is_present_as_far_as_it_is_read(root, name, make):
    make(root)
    assert assets.state(name) == "present"
    (root / sources.papers()[name].folder / sources.papers()[name].parts[-1]).rename(root / "elsewhere")
    assert assets.state(name) == "missing"


def test_a_missing_photograph_is_named(root):
    (trees.cub(root) / "images" / trees.BIRDS[0] / "4.jpg").unlink()
    images = datasets.load("cub200")
    with pytest.raises(assets.MissingFile, match=r"4.jpg is not there.*data fetch cub200"):
        _ = images.checksum
    with pytest.raises(assets.CorruptFile, match="001.Snow_Owl/4.jpg of cub200 cannot be read"):
        images[1]


def test_tables_that_do_not_fit(root):
    folder = trees.cub(root)
    (folder / "image_class_labels.txt").write_text("1 1\n")
    with pytest.raises(assets.CorruptFile, match="do not fit each other"):
        datasets.load("cub200")


@pytest.mark.parametrize(
    "file, line, says",
    [
        (
            "image_class_labels.txt",
            "3 3",
            (
                "line 3 of .*image_class_labels.txt of cub200 cannot be read: "
                "the label 2 is none of the 2 classes"
            ),
        ),
        ("image_class_labels.txt", "3 0", "line 3 of .*: the label -1 is none of the 2 classes"),
        ("image_class_labels.txt", "3 owl", "line 3 of .*: invalid literal"),
        ("images.txt", "3", "line 3 of .*images.txt .*: not enough values"),
        ("images.txt", b"3 \xff", "line 3 of .*images.txt .*: .*can't decode"),
        ("bounding_boxes.txt", "3 1 2 3", "line 3 of .*bounding_boxes.txt .*: not enough values"),
        ("bounding_boxes.txt", "3 1 2 3 nan", "line 3 of .*bounding_boxes.txt .*: nan is not finite"),
        ("bounding_boxes.txt", "99 1 2 3 4", "tables in .* do not fit each other: one lacks '99'"),
        ("parts/part_locs.txt", "2 1 x 3 1", "line 3 of .*part_locs.txt .*: could not convert"),
        ("parts/part_locs.txt", "2 77 1 3 1", "tables in .* do not fit each other: one lacks '77'"),
    ],
)
def test_a_wrong_line_of_a_table_is_named(root, file, line, says):
    path = trees.cub(root) / file
    lines = path.read_bytes().splitlines()
    lines[2] = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(assets.CorruptFile, match=says):
        datasets.load("cub200", split="train").annotations(0)


def test_a_bird_without_a_box_is_named(root):
    path = trees.cub(root) / "bounding_boxes.txt"
    path.write_text("1 0 0 5 5\n")
    with pytest.raises(assets.CorruptFile, match="do not fit each other: one lacks '001.Snow_Owl/1.jpg'"):
        datasets.load("cub200", split="train").annotations(0)


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda text: text[:60], "00000001.xml of imagenet-val cannot be read: .*Delete it and get it again"),
        (lambda text: text.replace("n01", "n99"), "there is no class 'n99'"),
        (lambda text: text.replace("<xmin>5</xmin>", ""), "could not convert string to float: ''"),
        (lambda text: text.replace("<xmin>5</xmin>", "<xmin>inf</xmin>"), "inf is not finite"),
        (lambda text: "", "no element found"),
    ],
)
def test_broken_boxes_of_imagenet_are_named(root, change, says):
    file = trees.imagenet(root) / "ILSVRC2012_bbox_val_v3" / "val" / "ILSVRC2012_val_00000001.xml"
    file.write_text(change(file.read_text()))
    with pytest.raises(assets.CorruptFile, match=says):
        datasets.load("imagenet-val").annotations(0)


@pytest.mark.parametrize("content", [b"", b"no pickle", {"names": 3}])
def test_a_broken_list_of_classes_is_named(root, content):
    file = trees.imagenet(root) / "meta.bin"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(assets.CorruptFile, match="does not hold imagenet-val: .*: delete meta.bin and val/"):
        datasets.load("imagenet-val")


@pytest.mark.parametrize("name, file", [
    ("fgvc-aircraft", "fgvc-aircraft-2013b/data/images_variant_test.txt"),
    ("food101", "food-101/meta/test.json"),
    ("flowers102", "flowers-102/setid.mat"),
    ("stanford-cars", "stanford_cars/cars_test_annos_withlabels.mat"),
])  # fmt: skip
def test_a_broken_table_of_torchvision_is_named(root, monkeypatch, name, file):
    MAKERS[name](root)
    monkeypatch.setattr(
        "torchvision.datasets.flowers102.check_integrity", lambda path, md5: Path(path).exists()
    )
    (root / file).write_bytes(b"\x00 broken")
    with pytest.raises(
        assets.CorruptFile, match=f"a table in .* of {name} cannot be read: .*Delete it and get it again from"
    ):
        datasets.load(name)


def test_a_label_of_torchvision_out_of_range_is_named(root):
    trees.cars(root)
    record = np.array([("0.jpg", 1), ("1.jpg", 3)], dtype=[("fname", object), ("class", np.uint8)])
    savemat(root / "stanford_cars" / "cars_test_annos_withlabels.mat", {"annotations": record})
    with pytest.raises(
        assets.CorruptFile, match="1.jpg of stanford-cars: the label 2 is none of the 2 classes"
    ):
        datasets.load("stanford-cars")


def test_a_broken_photograph_of_a_box_is_named(root):
    file = trees.cub(root) / "images" / trees.BIRDS[0] / "0.jpg"
    file.write_bytes(b"no photograph")
    with pytest.raises(assets.CorruptFile, match="0.jpg of cub200 cannot be read as an image"):
        datasets.load("cub200").annotations(0)


@pytest.mark.parametrize("name", ["cub200", "food101"])
def test_unknown_split(root, name):
    with pytest.raises(ValueError, match=f"split is 'val': {name} has train, test"):
        datasets.load(name, split="val")


def test_crops_of_a_squeezed_photograph():
    with pytest.raises(ValueError, match="squeezed into a square leaves nothing to crop"):
        listed.Listed("cub200", Path(), [], [], resize="squeeze", crops=5)


@pytest.fixture
def cub_server(tmp_path_factory, monkeypatch):
    """The archive of CUB-200 comes from this machine."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # pooch waits between attempts
    folder = tmp_path_factory.mktemp("server")
    trees.cub(folder)
    (folder / "CUB_200_2011" / "noise").write_bytes(
        random.Random(0).randbytes(300_000)
    )  # several chunks of a download
    with tarfile.open(folder / "CUB_200_2011.tgz", "w:gz") as archive:
        archive.add(folder / "CUB_200_2011", "CUB_200_2011")
    with serving(folder) as server:
        said = {"source": f"{server.address}/CUB_200_2011.tgz"}
        records = sources.papers()
        monkeypatch.setattr(
            sources, "papers", lambda: {**records, "cub200": replace(records["cub200"], **said)}
        )
        server.said = said
        yield server


def test_the_command_fetches_cub_and_goes_on_where_it_was(root, cub_server, capsys):
    assert main(["data", "fetch", "cub200"]) == 1  # another archive than that of the checksum
    assert "missing  cub200" in (said := capsys.readouterr().err) and "serves another content" in said
    assert not [*root.iterdir()], "nothing is kept, nor unpacked, of it"
    archive = (cub_server.folder / "CUB_200_2011.tgz").read_bytes()
    cub_server.said["md5"] = hashlib.md5(archive).hexdigest()
    cub_server.faults = ["truncate", "refuse", "refuse", "refuse"]
    assert main(["data", "fetch", "cub200"]) == 1
    assert "bytes that arrived are kept" in capsys.readouterr().err
    assert main(["data", "fetch", "cub200"]) == 0
    assert 0 < int(cub_server.ranges[-1].removeprefix("bytes=").rstrip("-")) <= len(archive) // 2
    assert f"present  {root / 'CUB_200_2011'}" in capsys.readouterr().out
    assert len(datasets.load("cub200")) == 2


@pytest.mark.parametrize("name", ["../evil", "/evil", "CUB_200_2011/../../evil"])
def test_no_path_of_an_archive_leads_out_of_its_folder(root, cub_server, name, capsys):
    archive = cub_server.folder / "CUB_200_2011.tgz"
    with tarfile.open(archive, "w:gz") as content:
        content.add(cub_server.folder / "CUB_200_2011", "CUB_200_2011")
        entry = tarfile.TarInfo(f"{root}{name}" if name == "/evil" else name)
        content.addfile(entry)
    cub_server.said["md5"] = hashlib.md5(archive.read_bytes()).hexdigest()
    (root / "inner").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTRASTLIB_DATA", str(root / "inner"))
        if name == "/evil":  # the leading slash is dropped, and the file stays in the archive's own folder
            assert main(["data", "fetch", "cub200"]) == 0
        else:
            assert main(["data", "fetch", "cub200"]) == 1
            assert "outside the destination" in capsys.readouterr().err
            assert [path.name for path in (root / "inner").iterdir()] == ["CUB_200_2011.tgz"]
    assert not (root / "evil").exists() and not Path(f"{root}/evil").exists()


def test_an_archive_that_ends_early_leaves_no_folder(root, cub_server, capsys):
    archive = cub_server.folder / "CUB_200_2011.tgz"
    archive.write_bytes(archive.read_bytes()[:-20_000])
    cub_server.said["md5"] = hashlib.md5(archive.read_bytes()).hexdigest()
    assert main(["data", "fetch", "cub200"]) == 1
    assert "missing  cub200" in capsys.readouterr().err
    assert [path.name for path in root.iterdir()] == ["CUB_200_2011.tgz"]


def test_a_folder_that_is_not_complete_is_not_touched(root, cub_server, capsys):
    archive = cub_server.folder / "CUB_200_2011.tgz"
    cub_server.said["md5"] = hashlib.md5(archive.read_bytes()).hexdigest()
    (root / "CUB_200_2011").mkdir()
    (root / "CUB_200_2011" / "mine").touch()
    assert main(["data", "fetch", "cub200"]) == 1
    assert "is there already, and is not complete: remove it and try again" in capsys.readouterr().err
    assert (root / "CUB_200_2011" / "mine").exists()


def test_the_command_knows_the_sets_and_what_cannot_be_fetched(root, capsys):
    assert main(["data", "fetch", "stanford-cars", "imagenet-val"]) == 1
    said = capsys.readouterr().err
    assert "Krause et al. 2013, whose address is gone" in said
    assert f"put both archives into {root / 'imagenet'}" in said
