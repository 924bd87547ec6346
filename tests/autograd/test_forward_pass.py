"""One forward pass, kept: right gradients, and a model left exactly as it was found."""

import copy

import pytest
import torch
import torchvision
from torch import nn

import contrastlib
from contrastlib import contrasts, explainers
from contrastlib.autograd import INPUT, find_layer, forward, last_convolution, predict

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def state(model):
    """All that a visitor could leave behind."""
    return {
        "modes": [module.training for module in model.modules()],
        "learnable": [p.requires_grad for p in model.parameters()],
        "gradients": [id(p.grad) for p in model.parameters()],
        "tensors": {name: t.clone() for name, t in model.state_dict().items()}
        | {f"{name}.grad": p.grad.clone() for name, p in model.named_parameters() if p.grad is not None},
        "hooks": [
            [len(getattr(module, kind)) for kind in vars(module) if kind.endswith("_hooks")]
            for module in model.modules()
        ],
    }


def assert_unchanged(model, before):
    after = state(model)
    tensors, tensors_before = after.pop("tensors"), before.pop("tensors")
    assert after == before
    assert tensors.keys() == tensors_before.keys()
    assert all(torch.equal(tensors[name], tensors_before[name]) for name in tensors)


def reference(network, images, layer, cotangent):
    """Gradient at a layer, written plainly: the network cut in two, nothing in place."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    cut = int(layer) + 1
    activation = network[:cut](images).clone().requires_grad_()
    logits = network[cut:](activation.clone())
    return activation.detach(), torch.autograd.grad((logits * cotangent).sum(), activation)[0]


# --- values -----------------------------------------------------------------------------------


def test_logits_are_those_of_the_model(network, images):
    expected = network(images).detach()
    torch.testing.assert_close(forward(network, images).logits, expected, **EXACT)
    torch.testing.assert_close(forward(network, images, network.layers).logits, expected, **EXACT)
    torch.testing.assert_close(predict(network, images), expected, **EXACT)


def test_activations_and_gradients_are_those_before_an_operation_in_place(network, images):
    cotangent = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for layer in [name for name in network.layers if name.isdigit()]:
        record = forward(network, images, layer)
        activation, gradient = reference(network, images, layer, cotangent)
        torch.testing.assert_close(record.activations[layer], activation, **EXACT)
        torch.testing.assert_close(record.pull_back(cotangent)[layer], gradient, **EXACT)
    assert any(forward(network, images, layer).activations[layer].min() < 0 for layer in network.layers)


def test_gradient_at_the_images(network, images):
    cotangent = torch.randn(3, 6, dtype=torch.float64)
    leaf = images.clone().requires_grad_()
    expected = torch.autograd.grad((network(leaf) * cotangent).sum(), leaf)[0]
    torch.testing.assert_close(forward(network, images).pull_back(cotangent)[INPUT], expected, **EXACT)


def test_several_layers_at_once_are_each_alone(network, images):
    layers = [*network.layers[::-1], INPUT]
    together, cotangent = forward(network, images, layers), torch.randn(2, 3, 6, dtype=torch.float64)
    assert list(together.activations) == layers
    for layer in layers:
        alone = forward(network, images, layer)
        torch.testing.assert_close(together.activations[layer], alone.activations[layer], **EXACT)
        torch.testing.assert_close(
            together.pull_back(cotangent)[layer], alone.pull_back(cotangent)[layer], **EXACT
        )


def test_many_cotangents_at_once_are_one_by_one(network, images):
    many = torch.randn(5, 3, 6, dtype=torch.float64)
    for layer in [INPUT, *network.layers]:
        record = forward(network, images, layer)
        one_by_one = torch.stack([record.pull_back(one)[layer] for one in many])
        torch.testing.assert_close(record.pull_back(many)[layer], one_by_one, **EXACT)


def test_a_cotangent_that_is_not_finite(network, images):
    record = forward(network, images, network.layers[0])
    with pytest.raises(ValueError, match="NaN or infinite.*check the contrast"):
        record.pull_back(torch.full((3, 6), torch.nan, dtype=torch.float64))


def test_a_pull_back_can_be_repeated_and_depends_on_the_cotangent_only(network, images):
    record = forward(network, images, network.layers[0])
    cotangent = torch.randn(3, 6, dtype=torch.float64)
    first = record.pull_back(cotangent)[network.layers[0]].clone()
    record.pull_back(torch.randn(3, 6, dtype=torch.float64))
    torch.testing.assert_close(record.pull_back(cotangent)[network.layers[0]], first, **EXACT)
    cotangent *= 2  # the same tensor with other values: nothing kept may answer for it
    torch.testing.assert_close(record.pull_back(cotangent)[network.layers[0]], 2 * first, **EXACT)


@pytest.mark.parametrize("count", [None, 1, 3])
def test_a_pass_made_for_one_cotangent(network, images, count):
    cotangent = torch.randn(*([count] if count else []), 3, 6, dtype=torch.float64)
    for layers in (INPUT, network.layers):
        record = forward(network, images, layers, once=True)
        expected = forward(network, images, layers).pull_back(cotangent)
        for _ in range(2):  # the answer is kept, so all explainers can have it
            for name, gradient in record.pull_back(cotangent).items():
                torch.testing.assert_close(gradient, expected[name], **EXACT)
        with pytest.raises(RuntimeError, match="made for one cotangent.*once=False"):
            record.pull_back(cotangent + 1)


def test_explainers_of_one_cotangent_share_one_backward_pass(network, images, monkeypatch):
    calls, backward = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: calls.append(1) or backward(*a, **k))
    record, cotangent = forward(network, images, "0"), torch.ones(3, 6, dtype=torch.float64)
    for method in [each.function for each in explainers.select(space="layer", contrast=True).values()]:
        method(record, cotangent)
    assert len(calls) == 1


def test_an_image_is_explained_alike_in_a_batch_and_alone(network, images):
    layer = network.layers[1]
    cotangent = torch.randn(3, 6, dtype=torch.float64)
    together = forward(network, images, layer).pull_back(cotangent)[layer]
    for i in range(3):
        alone = forward(network, images[i : i + 1], layer).pull_back(cotangent[i : i + 1])[layer]
        torch.testing.assert_close(together[i : i + 1], alone, **EXACT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtypes(make_network, dtype):
    network, images = make_network(dtype), make_network.images(dtype=dtype)
    record = forward(network, images, ["3", INPUT])
    assert record.logits.dtype == dtype
    # a cotangent of another dtype is brought to that of the logits
    assert {g.dtype for g in record.pull_back(torch.ones(3, 6)).values()} == {dtype}


def test_single_and_double_precision_agree(make_network):
    exact = contrastlib.explain(make_network(), make_network.images(), 1)
    single = contrastlib.explain(make_network(torch.float32), make_network.images().float(), 1)
    torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=1e-6)


def test_a_layer_that_the_logits_do_not_need_has_a_zero_gradient(images):
    class Sideways(nn.Module):
        def __init__(self):
            super().__init__()
            self.main, self.side = nn.Linear(3 * 32 * 32, 6), nn.Conv2d(3, 4, 3)

        def forward(self, x):
            self.side(x)
            return self.main(x.flatten(1))

    record = forward(Sideways().double(), images, ["side", INPUT])
    gradients = record.pull_back(torch.ones(3, 6, dtype=torch.float64))
    assert not gradients["side"].any() and gradients[INPUT].any()


def test_memory_formats_give_the_same(network, images):
    expected = contrastlib.explain(network, images, 2)
    network = network.to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(contrastlib.explain(network, images, 2), expected, **EXACT)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("method", explainers.select(needs="pass", contrast=True))
def test_another_device(network, images, method):
    expected = contrastlib.explain(network, images, [0, 1, 2], method)
    maps = contrastlib.explain(network.cuda(), images.cuda(), [0, 1, 2], method)
    assert maps.is_cuda
    torch.testing.assert_close(maps.cpu(), expected, rtol=1e-8, atol=1e-8)


# --- the model is left as it was found ----------------------------------------------------------


@pytest.fixture
def lived_in(network):
    """A network in a mixed state: partly in training, some weights frozen or with gradients, users' hooks."""
    network.train()
    network[0].eval()
    network[1].training = False
    parameters = list(network.parameters())
    for parameter in parameters[::3]:
        parameter.grad = torch.randn_like(parameter)
    for parameter in parameters[::2]:  # some of those with a gradient among them
        parameter.requires_grad_(False)
    network[2].register_forward_hook(lambda *_: None)
    network[-1].register_full_backward_hook(lambda *_: None)
    return network


def test_left_as_found(lived_in, images):
    before, pixels = state(lived_in), images.clone()
    for layers in (INPUT, lived_in.layers):
        forward(lived_in, images, layers).pull_back(torch.ones(3, 6, dtype=torch.float64))
    predict(lived_in, images)
    contrastlib.explain(lived_in, images)
    assert_unchanged(lived_in, before)
    assert torch.equal(images, pixels) and not images.requires_grad and images.grad is None


def test_evaluation_mode_is_used_whatever_the_mode(network, images):
    expected = contrastlib.explain(network, images, 0)
    torch.testing.assert_close(contrastlib.explain(network.train(), images, 0), expected, **EXACT)


def test_left_as_found_after_an_error_of_a_hook(lived_in, images):
    def hook(*_):
        raise RuntimeError("a user's own hook failed")

    lived_in[3].register_forward_hook(hook)
    before = state(lived_in)
    for attempt in (forward, predict, contrastlib.explain):
        with pytest.raises(RuntimeError, match="own hook failed"):
            attempt(lived_in, images)
        assert_unchanged(lived_in, dict(before))


def test_left_as_found_after_an_error_of_the_network(lived_in, images):
    before = state(lived_in)
    for wrong in (images[:, :2], images[..., :2]):
        with pytest.raises(ValueError, match="cannot run on images"):
            forward(lived_in, wrong, lived_in.layers)
        assert_unchanged(lived_in, dict(before))


def test_left_as_found_after_an_error_of_a_layer(lived_in, images):
    before = state(lived_in)
    with pytest.raises(ValueError, match="no layer"):
        forward(lived_in, images, [*lived_in.layers, "nowhere"])
    with pytest.raises(IndexError):
        contrastlib.explain(lived_in, images, target=6)
    assert_unchanged(lived_in, before)


def test_images_with_a_graph_of_their_own_keep_it(network, images):
    source = images.requires_grad_()
    record = forward(network, source * 1)
    record.pull_back(torch.ones(3, 6, dtype=torch.float64))
    assert source.grad is None and not record.logits.requires_grad


def test_explaining_inside_no_grad_and_inference(network, images):
    expected = contrastlib.explain(network, images, 0)
    with torch.no_grad():
        torch.testing.assert_close(contrastlib.explain(network, images, 0), expected, **EXACT)
        assert not torch.is_grad_enabled()


def test_a_network_with_frozen_parts_keeps_them(images):
    """Batch norm in evaluation mode inside a network in training mode, and the reverse."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(3600, 6)).double()
    for modes in ([True, False, True, True], [False, True, False, False]):
        network.training = not modes[0]
        for module, mode in zip(network, modes):
            module.training = mode
        statistics = network[1].running_mean.clone()
        contrastlib.explain(network, images)
        assert [module.training for module in network] == modes and network.training is not modes[0]
        assert torch.equal(network[1].running_mean, statistics) and network[1].num_batches_tracked == 0


# --- layers -------------------------------------------------------------------------------------


class Shared(nn.Module):
    """Runs one layer twice, and another under two names once."""

    def __init__(self):
        super().__init__()
        self.first, self.again = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.alias, self.head, self.unused = self.first, nn.Linear(4, 6), nn.Conv2d(3, 3, 1)
        self.pair = Pair()

    def forward(self, x):
        x = self.again(self.again(self.first(x)))
        self.pair(x)
        return self.head(x.mean(dim=(2, 3)))


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def test_a_layer_that_runs_twice(images):
    with pytest.raises(ValueError, match="'again' runs more than once"):
        forward(Shared().double(), images, "again")


def test_a_layer_that_does_not_run(images):
    with pytest.raises(ValueError, match="'unused' did not run"):
        forward(Shared().double(), images, ["first", "unused"])


def test_a_layer_that_returns_no_tensor(images):
    with pytest.raises(ValueError, match="'pair' returns tuple"):
        forward(Shared().double(), images, "pair")


def test_a_layer_under_its_second_name(images):
    model = Shared().double()
    first, alias = forward(model, images, "first"), forward(model, images, "alias")
    assert torch.equal(first.activations["first"], alias.activations["alias"])
    both = forward(model, images, ["first", "alias"]).pull_back(torch.ones(3, 6, dtype=torch.float64))
    torch.testing.assert_close(both["first"], both["alias"])


def test_an_unknown_layer_gets_the_nearest_names(torchvision_network, images):
    name = torchvision_network.layers[0]
    with pytest.raises(ValueError, match=f"no layer '{name}x'.*nearest names: .*{name}"):
        forward(torchvision_network, images, name + "x")
    for nothing in ("", "qqqq"):
        with pytest.raises(ValueError, match="no layer"):
            find_layer(torchvision_network, nothing)


def test_last_convolution(torchvision_network):
    name = last_convolution(torchvision_network)
    convolutions = [n for n, m in torchvision_network.named_modules() if isinstance(m, nn.Conv2d)]
    assert name == convolutions[-1]


def test_auxiliary_heads_are_no_place_for_maps():
    googlenet = torchvision.models.googlenet(num_classes=6, aux_logits=True, init_weights=False)
    assert any(name.startswith("aux2") for name, _ in googlenet.named_modules())
    assert last_convolution(googlenet) == "inception5b.branch4.1.conv"


def test_no_convolution(images):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 6)).double()
    with pytest.raises(ValueError, match="no 2-d convolution.*no layer has spatial positions.*gradient"):
        contrastlib.explain(flat, images)
    assert contrastlib.explain(flat, images, 0, "gradient").shape == (3, 32, 32)


def test_asking_for_a_layer_that_was_not_recorded(network, images):
    record = forward(network, images, network.layers)
    with pytest.raises(ValueError, match=f"'9' is not recorded; choose one of {', '.join(network.layers)}"):
        record.layer("9")
    with pytest.raises(ValueError, match="None is not recorded"):
        record.layer()
    assert forward(network, images, "0").layer() == "0"


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, error, says",
    [
        (lambda x: (255 * x).byte(), TypeError, "floating point.*uint8.*/ 255"),
        (lambda x: x.long(), TypeError, "int64"),
        (lambda x: x.numpy(), TypeError, "ndarray"),
        (lambda x: x[0], ValueError, r"\(3, 32, 32\).*images\[None\]"),
        (lambda x: x[None], ValueError, r"\(1, 3, 3, 32, 32\)"),
        (lambda x: x[:0], ValueError, r"\(0, 3, 32, 32\)"),
        (lambda x: x.where(x > 0.01, torch.nan), ValueError, "NaN"),
        (lambda x: x / 0, ValueError, "infinite"),
        (lambda x: x.where(x > 0.01, torch.inf).where(x < 0.99, -torch.inf), ValueError, "infinite"),
        (lambda x: x.float(), ValueError, "float32.*float64.*images.to"),
        (lambda x: x.half(), ValueError, "float16"),
    ],
)
def test_bad_images(network, images, change, error, says):
    bad = change(images)
    for attempt in (forward, predict, contrastlib.explain):
        with pytest.raises(error, match=says):
            attempt(network, bad)


@pytest.mark.parametrize(
    "tail, says",
    [
        (nn.Softmax(dim=1), "probabilities, not logits"),
        (nn.Unflatten(1, (3, 2)), r"\(3, 3, 2\)"),
        (nn.Flatten(0), r"\(3, C\).*\(18,\)"),
        (Pair(), "tuple"),
        (nn.Threshold(1e9, torch.nan), "NaN"),
    ],
)
def test_bad_models(network, images, tail, says):
    model = nn.Sequential(network, tail)
    for attempt in (forward, predict, contrastlib.explain):
        with pytest.raises(ValueError, match=says):
            attempt(model, images)


@pytest.mark.parametrize("shape", [(6,), (2, 6), (3, 5), (4, 2, 6), (1, 1, 3, 6)])
def test_bad_cotangents(network, images, shape):
    with pytest.raises(ValueError, match=r"\(B, C\) = \(3, 6\)"):
        forward(network, images).pull_back(torch.ones(shape))


def test_bad_methods_and_contrasts(network, images):
    with pytest.raises(ValueError, match="unknown method 'grad-cam'; choose one of gradcam,"):
        contrastlib.explain(network, images, method="grad-cam")
    with pytest.raises(ValueError, match="unknown contrast 'wtd'"):
        contrastlib.explain(network, images, contrast="wtd")


# --- the line that users write ---------------------------------------------------------------------


def test_explain_is_the_chain_of_its_parts(network, images):
    target = torch.tensor([5, 0, 2])
    for name, method in explainers.select(needs="pass", contrast=True).items():
        of_pixels = method.space == "pixels"
        record = forward(network, images, INPUT if of_pixels else network.layers[-1])
        expected = method.function(record, contrasts.weighted(record.logits, target))
        expected = expected.sum(dim=1) if of_pixels else explainers.upsample(expected, (32, 32))
        layer = None if of_pixels else network.layers[-1]
        torch.testing.assert_close(
            contrastlib.explain(network, images, target, name, layer=layer), expected, **EXACT
        )


def test_explain_chooses_the_predicted_class_and_the_last_convolution(network, images):
    predicted = network(images).argmax(dim=1)
    chosen = contrastlib.explain(network, images)
    torch.testing.assert_close(
        chosen, contrastlib.explain(network, images, predicted, layer=last_convolution(network)), **EXACT
    )
    network.layer = "0"
    torch.testing.assert_close(
        contrastlib.explain(network, images),
        contrastlib.explain(network, images, predicted, layer="0"),
        **EXACT,
    )


def test_explain_without_upsampling_and_with_foils(network, images):
    small = contrastlib.explain(network, images, 0, contrast="among", foils=[1, 2], layer="0", upsample=False)
    assert small.shape == (3, *forward(network, images, "0").activations["0"].shape[-2:])


def test_explain_a_classifier_with_one_logit(images):
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)
    )
    model = model.double()
    positive, negative = contrastlib.explain(model, images, 1), contrastlib.explain(model, images, 0)
    torch.testing.assert_close(positive, -negative, **EXACT)
    chosen = torch.where(model(images)[:, :, None] > 0, positive, negative)
    torch.testing.assert_close(contrastlib.explain(model, images), chosen, **EXACT)


# --- networks and callers that do unusual things -------------------------------------------------


class Checkpointed(nn.Module):
    """Saves memory by running its middle again in the backward pass."""

    def __init__(self):
        super().__init__()
        self.first, self.middle = nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.last = nn.Linear(4, 5)

    def forward(self, x):
        x = torch.utils.checkpoint.checkpoint(self.middle, self.first(x), use_reentrant=False)
        return self.last(x.mean(dim=(2, 3)))


@pytest.mark.parametrize("method", ["gradient", "gradcam", "integrated_gradients", "guided_backpropagation"])
def test_a_checkpointed_network_in_training_is_left_as_found(images, method):
    network = Checkpointed().to(images)
    layer = "first" if method == "gradcam" else None
    expected = contrastlib.explain(network.eval(), images, 1, method, layer=layer)
    network.train()
    before = state(network)
    torch.testing.assert_close(
        contrastlib.explain(network, images, 1, method, layer=layer), expected, **EXACT
    )
    assert_unchanged(network, before)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize(
    "method", [*explainers.select(needs="pass", contrast=True), *explainers.select(needs="network")]
)
def test_every_method_inside_no_grad_and_inference_mode(network, images, mode, method):
    expected = contrastlib.explain(network, images, 1, method)
    with mode():
        torch.testing.assert_close(contrastlib.explain(network, images + 0, 1, method), expected, **EXACT)
        record = forward(network, images)
        record.pull_back(contrasts.weighted(record.logits, 1))


@pytest.mark.parametrize(
    "method, options",
    [
        *(
            (method, {})
            for method in (
                *explainers.select(needs="pass", contrast=True),
                *explainers.select(needs="network"),
            )
        ),
        ("lrp", {"rules": "epsilon"}),
        ("lrp", {"average_pooling": "proportional"}),
    ],
)
def test_nothing_of_an_explanation_stays(network, images, method, options, tensors_alive):
    contrastlib.explain(network, images, 1, method, **options)
    before = tensors_alive()
    for _ in range(2):
        contrastlib.explain(network, images, 1, method, **options)
    assert tensors_alive() == before


def test_a_network_made_under_inference_mode(images):
    with torch.inference_mode():
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(5)).double()
        network(images)
    with pytest.raises(ValueError, match="made under torch.inference_mode"):
        forward(network, images)


class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)

    def forward(self, x):
        with torch.no_grad():
            x = self.backbone(x)
        return self.head(x).mean(dim=(2, 3))


def test_a_network_that_cuts_its_gradients(images):
    network = Frozen().to(images)
    with pytest.raises(ValueError, match="Frozen lets no gradient from its logits reach input"):
        forward(network, images)
    assert forward(network, images, "head").pull_back(torch.ones(len(images), 5).to(images))["head"].any()


class InPlace(nn.Module):
    """Normalises what it is given in place."""

    def __init__(self):
        super().__init__()
        self.convolution, self.relu = nn.Conv2d(3, 5, 3), nn.ReLU()

    def forward(self, x):
        x -= 0.5
        return self.relu(self.convolution(x)).mean(dim=(2, 3))


@pytest.mark.parametrize(
    "method",
    [*explainers.select(needs="pass", contrast=True), "integrated_gradients", "guided_backpropagation"],
)
def test_a_network_that_changes_its_images_in_place(images, method):
    network, before = InPlace().to(images), images.clone()
    contrastlib.explain(network, images, 1, method)
    predict(network, images)
    assert torch.equal(images, before)


class AttentionPool(nn.Module):
    """A convolutional network whose spatial positions are averaged by attention."""

    def __init__(self):
        super().__init__()
        self.convolution, self.attention = nn.Conv2d(3, 8, 3), nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 6)

    def forward(self, images):
        tokens = self.convolution(images).flatten(2).transpose(1, 2)
        return self.head(self.attention(tokens, tokens, tokens)[0].mean(dim=1))


def test_attention_that_only_pools_makes_no_transformer():
    assert last_convolution(AttentionPool()) == "convolution"


@pytest.mark.parametrize(
    "name, layer, positions", [("swin_t", "permute", (2, 2)), ("swin_v2_t", "permute", (2, 2))]
)
def test_transformers_with_spatial_positions(name, layer, positions):
    network, pixels = torchvision.models.get_model(name), torch.rand(1, 3, 64, 64)
    assert contrastlib.explain(network, pixels, layer=layer, upsample=False).shape == (1, *positions)
    with pytest.raises(ValueError, match=r"looks like \(B, h, w, K\).*permute"):
        contrastlib.explain(network, pixels, layer="features")


def test_a_map_needs_more_than_one_spatial_position():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 5, 1), nn.Flatten())
    with pytest.raises(ValueError, match="layer '2' has a single spatial position.*earlier layer"):
        contrastlib.explain(network, torch.rand(2, 3, 16, 16), layer="2")
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(contrastlib.explain(network, images), contrastlib.explain(network, images, layer="0"))


def test_a_map_that_is_changed_in_place_changes_no_other(network, images):
    record, w = forward(network, images), torch.randn(3, 6, dtype=torch.float64)
    expected = explainers.input_x_gradient(record, w)
    explainers.gradient(record, w).abs_()
    assert torch.equal(explainers.input_x_gradient(record, w), expected)


def test_a_cotangent_that_changed_is_another(network, images):
    record = forward(network, images)
    with torch.inference_mode():
        w = torch.randn(3, 6, dtype=torch.float64)
        first = record.pull_back(w)[INPUT].clone()
        assert torch.allclose(record.pull_back(w.mul_(-1))[INPUT], -first, **EXACT)


@pytest.mark.parametrize("method", ["gradcam", "gradient", "integrated_gradients", "deeplift", "lrp"])
def test_autocast_changes_no_map(make_network, method):
    network, images = make_network(torch.float32), make_network.images(dtype=torch.float32).clamp(0, 1)
    expected = contrastlib.explain(network, images, method=method)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(contrastlib.explain(network, images, method=method), expected)


@pytest.mark.parametrize("method", ["gradcam", "gradient", "integrated_gradients", "deeplift"])
def test_a_compiled_model_is_explained_as_it_is(make_network, method):
    network, images = make_network(torch.float32), make_network.images(dtype=torch.float32)
    expected = contrastlib.explain(network, images, method=method, layer=None if method != "gradcam" else "0")
    compiled = torch.compile(network, backend="eager")
    for _ in range(2):  # once before, and once when there is compiled code that fits
        maps = contrastlib.explain(
            compiled, images, method=method, layer=None if method != "gradcam" else "_orig_mod.0"
        )
        assert torch.equal(maps, expected)
        compiled(images)


@pytest.mark.parametrize(
    "make, error, says",
    [
        (lambda net: lambda x: net(x), TypeError, "must be a torch.nn.Module.*wrap"),
        (lambda net: net.to("meta"), ValueError, "meta device.*load its weights"),
        (
            lambda net: torch.ao.quantization.quantize_dynamic(net.float(), {nn.Linear}),
            ValueError,
            "is quantised",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")  # torch announces that its quantisation will move
def test_models_that_cannot_be_explained(network, images, make, error, says):
    with pytest.raises(error, match=says):
        contrastlib.explain(make(copy.deepcopy(network)), images.float())


def test_a_transformer_has_no_default_layer(images):
    with pytest.raises(ValueError, match="is a Transformer"):
        last_convolution(torchvision.models.VisionTransformer(32, 8, 2, 2, 8, 8))
    with pytest.raises(ValueError, match="is a Transformer"):
        last_convolution(torchvision.models.swin_t())


def test_a_layer_without_spatial_positions(network, images):
    last = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
    with pytest.raises(ValueError, match="no spatial positions to map"):
        contrastlib.explain(network, images, 1, "gradient", layer=last)


@pytest.mark.parametrize("model, layers, says", [
    (lambda x: x.mean(dim=(2, 3)), INPUT, "must be a torch.nn.Module, got function"),
    (nn.Conv2d(3, 4, 3), 0, "layers must be names.*got 0"),
    (nn.Conv2d(3, 4, 3), [nn.ReLU()], "layers must be names"),
])  # fmt: skip
def test_arguments_of_another_kind(images, model, layers, says):
    with pytest.raises(TypeError, match=says):
        forward(model, images, layers)


def test_no_layer(network, images):
    with pytest.raises(
        ValueError, match="no layer is named: name at least one, or give None for the default"
    ):
        forward(network, images, [])
