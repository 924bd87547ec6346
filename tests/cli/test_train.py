"""What the commands that train say before they begin."""

import pytest

from contrastlib.__main__ import main
from contrastlib.training import finetuning, from_scratch


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A folder that cannot be made, as a file has its name; work that must not begin."""
    (tmp_path / "taken").write_text("a file")
    for module, work in ((from_scratch, "train"), (from_scratch, "render"), (finetuning, "finetune")):
        monkeypatch.setattr(module, work, lambda *_, **__: pytest.fail("it began"))
    return tmp_path / "taken" / "weights"


@pytest.mark.parametrize("words", [["train", "birds_vgg"], ["finetune", "squeezenet1_1", "cub200"]])
def test_an_output_that_cannot_be_written(nowhere, capsys, words):
    assert main([*words, "--output", str(nowhere)]) == 2
    assert capsys.readouterr() == (
        "",
        f"contrastlib {words[0]}: nothing can be written in {nowhere}: Not a directory\n",
    )


def test_an_unknown_network(capsys):
    assert main(["train", "birds_rnn"]) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.startswith("contrastlib train: no small network is called 'birds_rnn'")


@pytest.mark.parametrize(
    "words", [["train", "--epochs"], ["train", "--pictures"], ["finetune", "vgg16_bn", "cub200", "--batch"]]
)
@pytest.mark.parametrize("number", ["0", "-3", "ten", "1.5"])
def test_counts(capsys, words, number):
    with pytest.raises(SystemExit) as end:
        main([*words, number])
    assert end.value.code == 2
    assert f"argument {words[-1]}: {number} is not a positive whole number" in capsys.readouterr().err
