"""A sigmoid or a softmax at the end of a network is found in the graph; one inside it is left alone."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import contrastlib
from contrastlib.autograd import forward, predict
from contrastlib.autograd.final_activation import final_activation
from contrastlib.explainers import select


class Then(nn.Module):
    """A small network, and a function of its logits."""

    def __init__(self, then, classes=1):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.classes, self.scale = nn.Linear(128, classes), nn.Parameter(torch.tensor(0.7))
        self.then = then

    def forward(self, x):
        return self.then(self.classes(self.features(x)))


def written_in_place(z):
    out = torch.zeros(len(z), 1)
    out[:, 0] = z[:, 0].sigmoid()
    return out


ENDS = {
    "module": (nn.Sigmoid(), 1, "sigmoid"),
    "function": (torch.sigmoid, 1, "sigmoid"),
    "in place": (lambda z: z.sigmoid_(), 1, "sigmoid"),
    "hard": (F.hardsigmoid, 1, "hard sigmoid"),
    "squeezed": (lambda z: z.sigmoid().squeeze(1)[:, None], 1, "sigmoid"),
    "viewed": (lambda z: z.sigmoid().view(-1).reshape(-1, 1), 1, "sigmoid"),
    "clamped": (lambda z: z.sigmoid().clamp(1e-6, 1 - 1e-6), 1, "sigmoid"),
    "clamped below": (lambda z: z.sigmoid().clamp(min=1e-6), 1, "sigmoid"),
    "cast": (lambda z: z.half().sigmoid().float(), 1, "sigmoid"),
    "cloned": (lambda z: z.sigmoid().clone().contiguous(), 1, "sigmoid"),
    "of class 0": (lambda z: 1 - z.sigmoid(), 1, "sigmoid"),
    "written in place": (written_in_place, 1, "sigmoid"),
    "mean of two": (lambda z: torch.stack([z.sigmoid(), (2 * z).sigmoid()]).mean(0), 1, "sigmoid"),
    "one column of a softmax": (lambda z: torch.cat([-z, z], 1).softmax(1)[:, 1:], 1, "softmax"),
    "one column of a log-softmax": (lambda z: torch.cat([-z, z], 1).log_softmax(1)[:, 1:], 1, "log-softmax"),
    "log-sigmoid": (F.logsigmoid, 1, "log-sigmoid"),
    "logarithm of a sigmoid": (lambda z: z.sigmoid().log(), 1, "log-sigmoid"),
    "several": (torch.sigmoid, 5, "sigmoid"),
    "several, some of them": (lambda z: z.sigmoid()[:, [0, 3, 2]], 5, "sigmoid"),
    "several, together": (lambda z: torch.cat([z[:, :2].sigmoid(), z[:, 2:].sigmoid()], 1), 5, "sigmoid"),
    "several log-sigmoids": (F.logsigmoid, 5, "log-sigmoid"),
    "softmax": (lambda z: z.softmax(1), 5, "softmax"),
    "softmax, background left out": (lambda z: z.softmax(1)[:, 1:], 5, "softmax"),
    "exponential of a log-softmax": (lambda z: z.log_softmax(1).exp(), 5, "softmax"),
    "softmax in double precision": (lambda z: F.softmax(z, 1, dtype=torch.float64).float(), 5, "softmax"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("method", ["gradcam", "integrated_gradients", "deeplift", "lrp", "fullgrad"])
def test_a_final_activation_is_refused(end, method):
    then, classes, name = ENDS[end]
    if method in ("fullgrad", "lrp") and isinstance(then, nn.Module):
        then = then.forward  # fullgrad refuses the module by name
    said = rf"(ends in a {name}: these are|sums to 1: these are).* not logits\. Remove the network's final"
    with pytest.raises(ValueError, match=said):
        contrastlib.explain(Then(then, classes), torch.rand(2, 3, 16, 16), 0, method)


def test_a_final_activation_is_named_by_a_pass():
    for then, classes, name in ENDS.values():
        with pytest.raises(ValueError, match=f"ends in a {name}: these are"):
            forward(Then(then, classes), torch.rand(2, 3, 16, 16))


@pytest.mark.parametrize(
    "then, classes",
    [
        (lambda z: z, 1),
        (lambda z: z, 5),
        (lambda z: z.log_softmax(1), 5),
        (lambda z: z.softmax(1).log(), 5),
        (lambda z: z.sigmoid().logit(), 1),
        (lambda z: z.tanh(), 1),
        (lambda z: z.sigmoid() - 0.5, 1),
        (lambda z: z * z.sigmoid(), 5),
        (lambda z: torch.cat([z[:, :1], z[:, 1:].sigmoid()], 1), 5),
        (lambda z: z.relu(), 5),
    ],
)
@pytest.mark.parametrize("method", ["gradcam", "gradient"])
def test_other_ends_are_served(then, classes, method):
    maps = contrastlib.explain(Then(then, classes), torch.rand(2, 3, 16, 16), 0, method)
    assert maps.any() and maps.isfinite().all()


def test_hidden_sigmoids_are_served():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 1)
    )
    assert contrastlib.explain(network, torch.rand(2, 3, 16, 16)).any()
    scaled = Then(torch.sigmoid)
    scaled.then = lambda z: scaled.scale * z.sigmoid()
    assert contrastlib.explain(scaled, torch.rand(2, 3, 16, 16)).any()
    squeeze = Then(lambda z: z * z.sigmoid().mean(1, keepdim=True), 5)
    assert contrastlib.explain(squeeze, torch.rand(2, 3, 16, 16)).any()


@pytest.mark.parametrize("method", [*select(needs="pass", contrast=True), "integrated_gradients"])
@pytest.mark.parametrize("contrast", ["weighted", "mean", "maximum", "probability"])
def test_log_probabilities_are_logits_up_to_a_constant(method, contrast):
    """Where the weights sum to 0, the constant has no part in the map."""
    images = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    logits, logarithms = (Then(then, 5).double() for then in (lambda z: z, lambda z: z.log_softmax(1)))
    given, expected = (
        contrastlib.explain(each, images, 3, method, contrast) for each in (logarithms, logits)
    )
    torch.testing.assert_close(given, expected, rtol=1e-9, atol=1e-12)


def test_what_the_remedies_of_the_messages_give():
    images = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    for then, undone, classes in (
        (torch.sigmoid, torch.logit, 1),
        (lambda z: z.softmax(1), torch.log, 5),
        (torch.sigmoid, torch.logit, 5),
    ):
        expected = contrastlib.explain(Then(lambda z: z, classes).double(), images)
        given = contrastlib.explain(
            Then(then, classes).double(), images, output=lambda y, undone=undone: undone(y)
        )
        torch.testing.assert_close(given, expected, rtol=1e-8, atol=1e-10)


def test_where_there_is_no_graph_only_the_values_can_tell():
    images = torch.rand(2, 3, 16, 16)
    with pytest.raises(ValueError, match="sums to 1: these are probabilities"):
        predict(Then(lambda z: z.softmax(1), 5), images)
    assert predict(Then(torch.sigmoid), images).shape == (2, 1)
    assert final_activation(torch.rand(2, 3)) == ""


def test_labels_that_do_not_exclude_each_other():
    """The contrast of one of several independent sigmoids is its own logit, as if it were alone."""
    images = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    network = Then(lambda z: z, 5).double()
    alone = Then(lambda z: z, 1).double()
    alone.features, alone.classes.weight.data = network.features, network.classes.weight.data[3:4]
    torch.testing.assert_close(
        contrastlib.explain(network, images, 3, contrast="original"), contrastlib.explain(alone, images, 1)
    )


@pytest.mark.parametrize(
    "end", [nn.Sigmoid(), nn.Softmax(dim=1), nn.Sequential(nn.Hardsigmoid(), nn.Flatten())]
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_scripted_network_is_refused_in_each_run(end, wrapped):
    """From its third run on TorchScript hides its operations in one node."""
    net, x = (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5), end).eval(),
        torch.rand(2, 3, 8, 8),
    )
    scripted = torch.jit.script(net)
    for _ in range(3):
        scripted(x.clone().requires_grad_())
    assert "DifferentiableGraph" in scripted(x.clone().requires_grad_()).grad_fn.name()
    for _ in range(3):
        with pytest.raises(ValueError, match="the network ends in a (sigmoid|softmax|hard sigmoid)"):
            contrastlib.explain(nn.Sequential(scripted) if wrapped else scripted, x, 1, "gradient")


@torch.jit.script
def scripted_end(z):
    return z * 2 + z.relu()


def test_a_scripted_function_at_the_end_is_explained_in_each_run():
    net, x = Then(scripted_end, 3), torch.rand(2, 3, 8, 8)
    expected = contrastlib.explain(Then(lambda z: z * 2 + z.relu(), 3), x, 1, "gradient")
    for _ in range(4):
        torch.testing.assert_close(contrastlib.explain(net, x, 1, "gradient"), expected)
    assert "DifferentiableGraph" in net(x.requires_grad_()).grad_fn.name()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_scripted_network_with_logits_is_explained_in_each_run(frozen):
    net, x = (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(144, 5)).eval(),
        torch.rand(2, 3, 8, 8),
    )
    scripted, expected = torch.jit.script(net), contrastlib.explain(net, x, 1, "gradient")
    scripted = torch.jit.freeze(scripted) if frozen else scripted
    for _ in range(4):
        torch.testing.assert_close(contrastlib.explain(scripted, x, 1, "gradient"), expected)
