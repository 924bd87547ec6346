"""Scores other than a class's logit: regressions, dense outputs, detections, videos, prompts."""

import re

import pytest
import torch
import torchvision
from torch import nn

from contrastlib import contrasts, explain
from contrastlib.autograd import forward, predict
from contrastlib.explainers import select

BATCH = 2
EXACT = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture
def images():
    return torch.rand(BATCH, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def network(count, *ends):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, count), *ends
    ).double()


# --- regressions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", select(space="layer", contrast=True) | select(space="pixels", contrast=True)
)
def test_the_map_of_one_number(images, method):
    """Whatever its sign, a number itself is explained. A sigmoid's logit is explained for class 0 or 1."""
    net = network(1)
    weights = torch.ones(BATCH, 1)
    expected = explain(net, images, 0, method, contrast=weights)
    for shift in (-9, 9):
        net[4].bias.data.fill_(shift)
        if method != "lrp":  # which propagates y itself
            torch.testing.assert_close(
                explain(net, images, method=method, regression=True),
                expected if method != "fullgrad" else explain(net, images, method=method, contrast=weights),
                **EXACT,
            )
    given = explain(net, images, 0, method, "original", regression=True)
    assert torch.equal(given, explain(net, images, method=method, regression=True)) and given.any()


@pytest.mark.parametrize(
    "method", select(space="layer", contrast=True) | select(space="pixels", contrast=True)
)
def test_the_target_chooses_one_of_several_numbers(images, method):
    net = network(4)
    for target in (2, [1, 3], torch.tensor([0, 2])):
        expected = explain(net, images, target, method, contrast="original")
        assert torch.equal(explain(net, images, target, method, regression=True), expected)
        assert torch.equal(
            explain(net, images, target, method, contrasts.original, regression=True), expected
        )
    w = torch.randn(BATCH, 4)
    assert torch.equal(
        explain(net, images, None, method, w, regression=True), explain(net, images, None, method, w)
    )


def test_a_number_may_be_a_probability(images):
    logit, probability = network(1), network(1, nn.Sigmoid())
    p = probability(images)[:, :, None].detach()
    torch.testing.assert_close(
        explain(probability, images, method="gradient", regression=True),
        p * (1 - p) * explain(logit, images, 1, "gradient"),
        **EXACT,
    )
    shares = network(4, nn.Softmax(dim=1))
    torch.testing.assert_close(
        explain(shares, images, 2, "gradient", regression=True),
        explain(network(4), images, 2, "gradient", "probability"),
        **EXACT,
    )
    w = torch.eye(4)[[2, 2]]
    torch.testing.assert_close(
        explain(shares, images, None, "gradient", w, regression=True),
        explain(shares, images, 2, "gradient", regression=True),
        **EXACT,
    )


def test_along_a_path_a_number_stays_the_same(images):
    options = {"method": "integrated_gradients", "steps": 5}
    at_image, on_path = (
        explain(network(1), images, regression=True, contrast_at=where, **options)
        for where in ("image", "path")
    )
    torch.testing.assert_close(at_image, on_path, **EXACT)


@pytest.mark.parametrize(
    "count, options, error, says",
    [
        (4, {}, ValueError, r"returns 4 numbers for each image: choose one with target="),
        (1, {"target": 1}, IndexError, "target 1 is not"),
        (4, {"target": 4}, IndexError, "target 4 is not"),
        (
            4,
            {"target": 1, "contrast": "maximum"},
            ValueError,
            "'maximum' compares classes, and a regression has none",
        ),
        (4, {"target": 1, "contrast": contrasts.mean}, ValueError, "'mean' compares classes"),
        (4, {"target": 1, "foils": [2]}, ValueError, "compares classes, and a regression has none"),
        (4, {"target": 1, "contrast": "among", "foils": [2]}, ValueError, "'among' compares classes"),
        (4, {"target": 1, "contrast": "best"}, ValueError, "unknown contrast 'best'"),
        (
            4,
            {"target": 1, "method": "sglrp"},
            ValueError,
            'sglrp explains a class, and a regression has none: use method="lrp"',
        ),
    ],
)
def test_what_makes_no_sense_for_a_regression(images, count, options, error, says):
    with pytest.raises(error, match=says):
        explain(network(count), images, regression=True, **options)


# --- a score for each position -----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["lraspp_mobilenet_v3_large", "fcn_resnet50"])
def segmentation(request):
    torch.manual_seed(0)
    return torchvision.models.get_model(
        request.param, weights=None, weights_backbone=None, num_classes=4
    ).eval()


def test_a_segmentation_is_explained_over_a_mask(segmentation):
    pixels = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        dense = segmentation(pixels)["out"]
    assert dense.shape == (1, 4, 32, 32)
    with pytest.raises(
        ValueError,
        match=r"got OrderedDict with \['out'\] \(1, 4, 32, 32\).*output=lambda y: "
        r"y\['out'\]\[:, :, mask\]\.mean\(dim=-1\)",
    ):
        explain(segmentation, pixels)
    layer = "backbone.layer3" if "layer3" in dict(segmentation.backbone.named_children()) else "backbone.4"
    left = torch.zeros(32, 32, dtype=torch.bool)
    left[:, :16] = True

    def over(mask):
        return lambda y: y["out"][:, :, mask].mean(dim=-1)

    record = forward(segmentation, pixels, layer, output=over(left))
    torch.testing.assert_close(record.logits, dense[:, :, left].mean(dim=-1))
    gradient = record.pull_back(contrasts.weighted(record.logits, 1))[layer]
    expected = (gradient * record.activations[layer]).sum(dim=1)
    options = {"method": "linear_approximation", "layer": layer, "upsample": False}
    given = explain(segmentation, pixels, 1, output=over(left), **options)
    torch.testing.assert_close(given, expected)
    assert not torch.allclose(explain(segmentation, pixels, 1, output=over(~left), **options), expected)


def test_detections_have_a_recipe():
    torch.manual_seed(0)
    detector = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=3, min_size=64, max_size=64, box_score_thresh=0.0
    ).eval()
    pixels = torch.rand(1, 3, 64, 64)
    with pytest.raises(ValueError, match="got a list of detections: explain the score of a box") as caught:
        explain(detector, pixels, method="gradient")
    recipe = re.search(r"output=(.*) and regression=True", str(caught.value))[1]
    maps = explain(detector, pixels, method="gradient", output=eval(recipe), regression=True)
    assert maps.shape == (1, 64, 64) and maps.any()


# --- videos ---------------------------------------------------------------------------------------


class Frames(nn.Module):
    """Its frames go through a network of images as a batch."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.classes = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

    def forward(self, x):
        frames = self.convolution(x.view(-1, 3, *x.shape[2:])).relu().mean((2, 3))
        return self.classes(frames).view(len(x), -1, 5).mean(1)


@pytest.fixture
def videos():
    return torch.rand(BATCH, 12, 16, 16, dtype=torch.float64)


@pytest.mark.parametrize("method", select(space="layer", contrast=True))
def test_a_layer_with_a_row_for_each_frame(videos, method):
    net = Frames().double()
    with pytest.raises(
        ValueError, match="layer 'convolution' gives 8 rows for 2 images: if they are frames.*say frames=4"
    ):
        explain(net, videos, 1, method)
    maps = explain(net, videos, 1, method, frames=4)
    assert maps.shape == (BATCH, 4, 16, 16)
    frames = videos.view(-1, 3, 16, 16)  # each frame as a video of one frame has a fourth of the logits
    w = contrasts.weighted(predict(net, videos), 1).repeat_interleave(4, dim=0) / 4
    torch.testing.assert_close(maps.flatten(0, 1), explain(net, frames, None, method, w), **EXACT)
    assert explain(net, videos, 1, method, frames=4, upsample=False).shape == (BATCH, 4, 14, 14)


@pytest.mark.parametrize(
    "method", ["gradient", "input_x_gradient", "integrated_gradients", "guided_backpropagation", "deeplift"]
)
@pytest.mark.parametrize("channels", ["sum", "abs_max"])
def test_the_pixels_of_each_frame(videos, method, channels):
    net = Frames().double()
    maps = explain(net, videos, 1, method, channels=channels, frames=4)
    assert maps.shape == (BATCH, 4, 16, 16)
    together = explain(net, videos, 1, method, channels=channels)
    torch.testing.assert_close(maps.sum(1) if channels == "sum" else maps.amax(1), together, **EXACT)


def test_a_layer_of_frames_for_a_method_of_the_pixels(videos):
    maps = explain(
        Frames().double(), videos, 1, "input_x_gradient", layer="convolution", frames=4, upsample=False
    )
    assert maps.shape == (BATCH, 4, 14, 14)


@pytest.mark.parametrize(
    "method, frames, says",
    [
        ("gradcam", 3, "layer 'convolution' gives 8 rows for 2 images of 3 frames: .* say frames=4"),
        ("gradient", 5, "the 12 channels of an image are not those of 5 frames"),
        ("gradient", 0, "frames is 0: an image has 1 frame or more"),
        ("fullgrad", None, "layer 'convolution' gives 8 rows for 2 images"),
    ],
)
def test_other_numbers_of_frames(videos, method, frames, says):
    with pytest.raises(ValueError, match=says):
        explain(Frames().double(), videos, 1, method, frames=frames)


def test_rows_that_are_no_frames(images):
    class Halves(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.classes = nn.Conv2d(6, 4, 3), nn.Linear(4, 5)

        def forward(self, x):
            both = self.convolution(x.reshape(1, 6, *x.shape[2:])).mean((2, 3))
            return self.classes(both).expand(2, -1)

    with pytest.raises(ValueError, match="gives 1 rows for 2 images: name a layer with a row for each image"):
        explain(Halves().double(), images, 1)


def test_videos_of_five_dimensions(videos):
    with pytest.raises(ValueError, match=r"got \(2, 4, 3, 16, 16\): for frames of videos, see frames= of"):
        explain(Frames().double(), videos.unflatten(1, (4, 3)))
