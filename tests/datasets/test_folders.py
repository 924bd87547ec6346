"""Folders of images: classes, order, checksum, and what may be wrong with them."""

import pytest
import torch
from PIL import Image

from contrastlib import assets, datasets


def fill(folder, *names, size=(40, 30), colour=(255, 0, 0)):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(path)


def test_a_subfolder_for_each_class(tmp_path):
    fill(tmp_path, "wren/2.png", "wren/1.JPG", "owl/young/3.png", ".hidden/4.png", "owl/.5.png")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "empty").mkdir()
    images = datasets.load("folder", root=tmp_path, resize=32, crop=24)
    assert images.class_names == ["owl", "wren"]
    assert [(each.name, each.label, each.group) for each in images] == [
        ("owl/young/3.png", 0, 0),
        ("wren/1.JPG", 1, 1),
        ("wren/2.png", 1, 2),
    ]
    assert images[0].image.shape == (3, 24, 24)
    assert torch.equal(images[2].image[:, 0, 0], torch.tensor([1.0, 0, 0]))


def test_all_in_one_class(tmp_path):
    fill(tmp_path / "birds", "b.png", "a.png")
    images = datasets.load("folder", root=str(tmp_path / "birds"), crops=5)
    assert images.class_names == ["birds"] and len(images) == 10
    assert [images[i].name for i in (0, 5)] == ["a.png", "b.png"]


def test_checksum_follows_names_and_contents(tmp_path):
    def checksum(name, *paths, **options):
        fill(tmp_path / name, *paths, **options)
        return datasets.load("folder", root=tmp_path / name).checksum

    first = checksum("first", "a/1.png", "b/1.png")
    assert checksum("same", "a/1.png", "b/1.png") == first
    assert checksum("renamed", "a/1.png", "b/2.png") != first
    assert checksum("repainted", "a/1.png", "b/1.png", colour=(0, 0, 255)) != first


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        datasets.load("folder", root=tmp_path / "nowhere")


def test_no_images(tmp_path):
    (tmp_path / "class").mkdir()
    with pytest.raises(ValueError, match="holds no images: put files ending in .jpg"):
        datasets.load("folder", root=tmp_path)


def test_images_beside_classes(tmp_path):
    fill(tmp_path, "loose.png", "wren/1.png")
    with pytest.raises(ValueError, match=r"holds images \(loose.png\) beside folders of images \(wren\)"):
        datasets.load("folder", root=tmp_path)


def test_an_unreadable_image_is_named(tmp_path):
    fill(tmp_path, "wren/1.png")
    (tmp_path / "wren" / "2.png").write_bytes(b"no image")
    images = datasets.load("folder", root=tmp_path)
    images[0]
    with pytest.raises(assets.CorruptFile, match="wren/2.png of folder cannot be read as an image"):
        images[1]


def test_links_are_followed_but_not_upwards(tmp_path):
    """A subset of a large set is often a folder of links."""
    fill(tmp_path / "elsewhere", "1.png")
    fill(tmp_path / "own", "a/1.png", "c/1.png")
    (tmp_path / "own" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "own" / "c" / "up").symlink_to(tmp_path / "own")
    images = datasets.load("folder", root=tmp_path / "own")
    assert images.class_names == ["a", "b", "c"]
    assert [each.name for each in images] == ["a/1.png", "b/1.png", "c/1.png"]


def test_names_that_are_no_text(tmp_path):
    fill(tmp_path, "a/1.png")
    try:
        (tmp_path / "a" / "1.png").rename(tmp_path / "a" / "\udce4.png")
    except OSError:
        pytest.skip("the file system takes names in UTF-8 only")
    assert len(datasets.load("folder", root=tmp_path).checksum) == 64
