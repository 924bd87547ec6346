"""Archives read in place: the real ones where CONTRASTLIB_DATA has them, and broken ones made here."""

import hashlib
import io
import pickle
import zipfile
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Subset
from torchvision.transforms.functional import to_tensor

from contrastlib import assets, datasets
from contrastlib.datasets.archives import Archive
from contrastlib.datasets.base import ImageSet, crop


def picture(width, height, kind="PNG", **options):
    """An encoded picture in which red grows to the right and green downwards."""
    image = Image.new("RGB", (width, height))
    image.putdata([(x % 256, y % 256, 0) for y in range(height) for x in range(width)])
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def described(content):
    return assets.File(
        "made.zip", "made here", "here", "here", "none", len(content), hashlib.sha256(content).hexdigest()
    )


@pytest.fixture
def known(monkeypatch):
    """The files that the registry knows."""
    files = {}
    monkeypatch.setattr(assets.registry, "files", lambda: files)
    return files


@pytest.fixture
def archive(tmp_path, monkeypatch, known):
    """A function that makes an archive of the given contents and opens it as a data set of two classes."""

    def make(contents, **options):
        path = tmp_path / "made.zip"
        with zipfile.ZipFile(path, "w") as whole:
            for name, content in contents.items():
                whole.writestr(name, content)
        known["made.zip"] = described(path.read_bytes())
        monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
        return Archive("made", "made.zip", ["left", "right"], label="class", **options)

    return make


INDEX = "file,class\na.png,0\nb.png,1\n"
PICTURES = {"index.csv": INDEX, "a.png": picture(60, 40), "b.png": picture(40, 90)}


def test_examples(archive):
    made = archive(PICTURES, resize=40, crop=32)
    assert len(made) == 2 and made.class_names == ["left", "right"]
    assert made.checksum == hashlib.sha256(made.path.read_bytes()).hexdigest()
    image, label, group, name = made[1]
    assert (label, group, name) == (1, 1, "b.png")
    assert image.shape == (3, 32, 32) and image.dtype == torch.float32
    assert 0 <= image.min() and image.max() <= 1
    assert made[-1].name == "b.png"
    with pytest.raises(IndexError, match="no image 2 in made, which has 2"):
        made[2]


def test_iteration_ends(archive):
    assert [example.name for example in archive(PICTURES, resize=40, crop=32)] == ["a.png", "b.png"]


def test_five_crops_are_the_centre_and_the_corners(archive):
    made = archive(PICTURES, resize=40, crop=30, crops=5)
    assert len(made) == 10
    assert [made[i].group for i in range(10)] == [0] * 5 + [1] * 5
    # a.png keeps its 60 x 40 pixels, so red and green tell the place of the first pixel
    places = [tuple((made[i].image[:2, 0, 0] * 255).round().int().tolist()) for i in range(5)]
    assert places == [(15, 5), (0, 0), (30, 0), (0, 10), (30, 10)]


def test_shorter_side_is_resized():
    image = Image.new("RGB", (101, 50))
    assert crop(image, 20, 20).shape == (3, 20, 20)
    grown = crop(Image.open(io.BytesIO(picture(8, 16))), 16, 16)
    assert grown.shape == (3, 16, 16)


def test_an_image_of_the_right_size_is_left_alone():
    image = Image.open(io.BytesIO(picture(32, 32)))
    assert torch.equal(crop(image, 32, 32), to_tensor(image))


def test_photographs_are_turned_upright_and_become_rgb():
    exif = Image.Exif()
    exif[274] = 6  # "rotate by 90 degrees clockwise to show"
    lying = Image.open(io.BytesIO(picture(40, 20, "PNG", exif=exif)))
    upright = Image.open(io.BytesIO(picture(40, 20))).rotate(-90, expand=True)
    assert torch.equal(crop(lying, 20, 20), crop(upright, 20, 20))
    assert crop(Image.new("L", (20, 20), 51), 20, 20).unique().tolist() == pytest.approx([0.2])
    assert crop(Image.new("RGBA", (20, 20)), 20, 20).shape == (3, 20, 20)


def test_images_with_other_labels_are_left_out(archive):
    made = archive(PICTURES, only={1}, resize=40, crop=32)
    assert len(made) == 1 and made[0].name == "b.png"


def test_workers_and_pickling(archive):
    contents = {"index.csv": "file,class\n" + "".join(f"{i}.png,{i % 2}\n" for i in range(40))}
    contents |= {f"{i}.png": picture(32 + i, 40) for i in range(40)}
    made = archive(contents, resize=32, crop=32)
    made[0]  # the archive is open before the workers start
    expected = [made[i] for i in range(40)]
    batches = list(DataLoader(made, batch_size=4, num_workers=2))
    images = torch.cat([batch.image for batch in batches])
    assert torch.equal(images, torch.stack([each.image for each in expected]))
    assert [name for batch in batches for name in batch.name] == [each.name for each in expected]
    assert torch.equal(pickle.loads(pickle.dumps(made))[7].image, expected[7].image)


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"crops": 3}, "crops is 3: it must be 1"),
        ({"crop": 300}, "crop is 300: it must lie between 1 and the shorter side, 256"),
        ({"crop": 0}, "crop is 0"),
    ],
)
def test_wrong_options(archive, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        archive(PICTURES, **options)


@pytest.mark.parametrize(
    "index, complaint",
    [
        (None, "not a zip archive with a valid index.csv"),
        ("name,class\na.png,0\n", "valid index.csv: it has no column 'file'"),
        ("file,class\na.png,left\n", "valid index.csv: line 2: 'left' is no label"),
        ("file,class\na.png,0\nb.png\n", "valid index.csv: line 3: None is no label"),
        (
            "file,class\na.png,0\nb.png,2\n",
            "valid index.csv: line 3: the label 2 is none of the 2 classes, which are counted from 0",
        ),
        ("file,class\na.png,-1\n", "valid index.csv: line 2: the label -1 is none of the 2 classes"),
        (b"file,class\na.png,0\n\xff,1\n", "valid index.csv: .*can't decode"),
        ("file,class\na.png,0\n" + "x" * 200_000 + ",1\n", "valid index.csv: field larger than field limit"),
        ("file,class\na.png,0\nc.png,1\n", "does not contain, such as c.png"),
    ],
)
def test_wrong_index(archive, index, complaint):
    contents = {"a.png": PICTURES["a.png"]} | ({} if index is None else {"index.csv": index})
    with pytest.raises(assets.CorruptFile, match=complaint):
        archive(contents)


def test_no_archive(archive, tmp_path, known):
    archive(PICTURES)
    broken = b"this is no zip archive"
    (tmp_path / "made.zip").write_bytes(broken)
    known["made.zip"] = described(broken)
    with pytest.raises(assets.CorruptFile, match="made.zip is not a zip archive"):
        Archive("made", "made.zip", [])


@pytest.mark.parametrize("content", [b"no image", PICTURES["a.png"][:60]])
def test_a_broken_image_is_named(archive, content):
    made = archive(PICTURES | {"a.png": content}, resize=40, crop=32)
    with pytest.raises(assets.CorruptFile, match="a.png of made cannot be read as an image"):
        made[0]
    assert made[1].label == 1


def test_a_picture_whose_bytes_changed_in_the_archive_is_named(archive):
    """The archive has a checksum of each file: zipfile refuses the picture before it is decoded."""
    made = archive(PICTURES, resize=40, crop=32)
    content = made.path.read_bytes()
    place = content.index(PICTURES["a.png"][60:90])
    made.path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    made = pickle.loads(pickle.dumps(made))  # opens the archive again
    with pytest.raises(
        assets.CorruptFile,
        match="a.png of made cannot be read as an image: Bad CRC-32.*get the data set again",
    ):
        made[0]


def test_a_picture_with_too_many_pixels_is_named(archive, monkeypatch):
    made = archive(PICTURES, resize=40, crop=32)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(
        assets.CorruptFile, match="a.png of made cannot be read as an image: Image size .* exceeds limit"
    ):
        made[0]


def test_memory_that_runs_out_is_no_damage(archive, monkeypatch):
    made = archive(PICTURES, resize=40, crop=32)
    monkeypatch.setattr("contrastlib.datasets.base.crop", lambda *_: bytearray(1 << 60))
    with pytest.raises(MemoryError):
        made[0]


def test_an_archive_that_needs_a_password_is_named(tmp_path, monkeypatch, known, archive):
    archive(PICTURES)
    path = tmp_path / "made.zip"
    content = path.read_bytes().replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    path.write_bytes(content)
    known["made.zip"] = described(content)
    with pytest.raises(
        assets.CorruptFile, match="made.zip is not a zip archive with a valid index.csv: .*encrypted"
    ):
        Archive("made", "made.zip", ["left", "right"], label="class")


def test_unknown_name_gives_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'imagenet-sample'"):
        datasets.load("imagenet_sample")


def test_missing_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    with pytest.raises(assets.MissingFile, match="cifar10_test.zip.*github.com/YoongiKim"):
        datasets.load("cifar10-test")


@pytest.mark.data("imagenet_sample_1000.zip")
def test_imagenet_sample():
    sample = datasets.load("imagenet-sample")
    assert len(sample) == 1000
    assert [label for _, label in sample.entries] == list(range(1000))
    # names of files agree with the names of classes, but for two homonyms that torchvision tells apart
    spoken = [name.partition("_")[2].removesuffix(".jpg").replace("_", " ") for name, _ in sample.entries]
    differing = [index for index in range(1000) if spoken[index] != sample.class_names[index]]
    assert differing == [134, 639]
    assert sample[0].image.shape == (3, 224, 224)
    assert datasets.load("imagenet-sample", crop=227)[0].image.shape == (3, 227, 227)


@pytest.mark.data("imagenet_sample_1000.zip")
def test_imagenet_birds():
    birds = datasets.load("imagenet-birds", crops=5)
    assert len(birds) == 59 * 5
    assert {birds[i].group for i in range(0, len(birds), 5)} == set(range(59))
    assert [birds.class_names[birds.entries[i][1]] for i in (0, 17, 18, 38, 39, 58)] == [
        "cock",
        "great grey owl",
        "black grouse",
        "black swan",
        "white stork",
        "albatross",
    ]


@pytest.mark.data("clrp_zebra_elephant.zip")
def test_zebra_elephant():
    images = datasets.load("zebra-elephant")
    assert [images[i].name for i in range(4)] == ["ze1.jpg", "ze2.jpg", "ze3.jpg", "ze4.jpg"]
    assert {images[i].label for i in range(4)} == {340} and images.class_names[340] == "zebra"
    assert {images[i].image.shape for i in range(4)} == {(3, 224, 224)}


@pytest.mark.parametrize(
    "split, count",
    [
        pytest.param("test", 1000, marks=pytest.mark.data("cifar10_test.zip")),
        pytest.param("train", 5000, marks=pytest.mark.data("cifar10_train.zip")),
    ],
)
def test_cifar10(split, count):
    images = datasets.load(f"cifar10-{split}")
    assert Counter(label for _, label in images.entries) == dict.fromkeys(range(10), count)
    batch = next(iter(DataLoader(Subset(images, range(0, len(images), count)), batch_size=10)))
    assert batch.image.shape == (10, 3, 32, 32)
    assert batch.label.tolist() == list(range(10))
    assert [name.partition("/")[0] for name in batch.name] == images.class_names


def test_a_sample_is_spread_evenly():
    class Thousand(ImageSet):
        def __len__(self):
            return 1000

    images = Thousand()
    assert images.sample(None) == images.sample(1000) == images.sample(2000) == list(range(1000))
    chosen = np.array(images.sample(300))
    assert len(set(chosen)) == 300 and np.diff(chosen).max() <= 4
    assert np.bincount(chosen // 100).tolist() == [30] * 10
