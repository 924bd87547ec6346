"""The registry of files, and downloads from a server on this machine that serves, truncates and corrupts."""

import argparse
import errno
import hashlib
import io
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from file_server import serving

from contrastlib import assets, datasets, models
from contrastlib.__main__ import main
from contrastlib.assets.download import download
from contrastlib.assets.locks import locked
from contrastlib.assets.writing import CannotWrite
from contrastlib.cli import data
from contrastlib.report.pages import registry_table

CONTENT = bytes(range(256)) * 2000  # eight chunks of a download
NAME = "drawing.bin"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(tmp_path_factory, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # pooch waits between attempts
    folder = tmp_path_factory.mktemp("server")
    (folder / NAME).write_bytes(CONTENT)
    with serving(folder) as server:
        yield server


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry with the one file NAME; change its fields to change the registry."""
    said = {
        "name": NAME,
        "what": "a drawing",
        "needed_by": ("drawings",),
        "source": "example.org/drawings",
        "made": "by hand",
        "licence": "none",
        "bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
    }
    for module in (assets.registry, assets):
        monkeypatch.setattr(module, "files", lambda: {NAME: assets.File(**said)})
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path / "data"))
    return said


@pytest.fixture
def remote(registry, server):
    registry["url"] = f"{server.address}/{NAME}"
    return server


def put(content):
    assets.root().mkdir(exist_ok=True)
    (assets.root() / NAME).write_bytes(content)


@pytest.mark.parametrize("name", [name for name, file in assets.files().items() if file.package])
def test_a_file_that_comes_with_a_package(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    inside = assets.path(name)
    assert inside.name == name and not inside.is_relative_to(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    package = assets.file(name).package.name
    with pytest.raises(
        assets.MissingFile, match=f"comes with the package {package}: run `pip install .* {package}`"
    ):
        assets.path(name)
    (tmp_path / name).write_bytes(inside.read_bytes())  # or in the folder of the data
    assert assets.path(name) == tmp_path / name
    (tmp_path / name).write_bytes(b"other")
    assert assets.state(name) == "corrupt"


def test_the_registry_is_complete():
    for name, file in assets.files().items():
        assert len(file.sha256) == 64 and file.made and file.licence and file.needed_by, name
    for name, record in assets.datasets().items():
        if record.folder:
            assert record.parts and record.splits and record.count and record.checked and record.archive, name
            assert callable(assets.imported(record.fetch)), name
            assert max(record.splits.values()) <= record.count <= sum(record.splits.values()), name
            boxes = assets.imported(record.loader).__dict__.get("annotations")
            assert record.boxes == bool(boxes), name
            assert record.arguments.get("name", name) == name
        elif not record.drawn and name != "folder":
            assert record.files and record.classes and record.arguments.get("name", name) == name
            assert set(record.files) >= {record.arguments[key] for key in ["file"] if key in record.arguments}


def test_all_that_entries_name_can_be_imported():
    for network in assets.networks().values():
        assert callable(assets.imported(network.builder))
        assert not network.renamed_by or callable(assets.imported(network.renamed_by))
        assert network.classes.names in network.files or len(set(network.classes.listed())) > 1
    for record in assets.datasets().values():
        assert callable(assets.imported(record.loader))
        assert not record.classes or len(record.classes.listed()) in (10, 1000)


def test_the_cards_of_the_shipped_weights_are_complete():
    assert assets.trained_names() == sorted(file.stem for file in assets.WEIGHTS.glob("*.safetensors"))
    for name in assets.trained_names():
        card = assets.trained(name)[1]
        network = assets.network(name)
        assert (card["licence"], card["source"]) == (network.licence, network.source)
        assert card["class_names"] == network.classes.listed()
        side = models.load(name).input_size
        assert card["preprocessing"] == f"RGB in 0..1, ImageNet mean and standard deviation, {side}x{side}"


def test_all_that_can_be_loaded_is_described_and_nothing_else():
    uses = {use for file in assets.files().values() for use in file.needed_by}
    drawn_or_kept = {name for name, record in datasets.DATASETS.items() if not record.files}
    trained = [name for name, network in models.MODELS.items() if network.training]
    assert {*uses, *drawn_or_kept, *trained} == {*datasets.DATASETS, *models.MODELS}
    assert assets.trained_names() == sorted(each for name in trained for each in assets.training_seeds(name))


def test_further_seeds_of_training(monkeypatch, tmp_path):
    known = assets.networks()
    for name, seeds in {
        name: network.training.seeds for name, network in known.items() if network.training
    }.items():
        for seed in seeds:
            record = assets.network(f"{name}-seed{seed}")
            assert record == known[name].seeded(seed) and record.title == f"{known[name].title}, seed {seed}"
            assert (
                record.training.recipe
                == {**known[name].training.recipe, "seed": seed, "stored_as": "float16"}
                and record.decisive() == known[name].decisive()
            )
    for unknown in (
        "birds_vgg-seed0",
        "birds_vgg-seed01",
        "birds_vgg-seed",
        "squeezenet1_1-seed1",
        "birds-seed1",
    ):
        assert assets.network(unknown) is None
    with pytest.raises(ValueError, match="unknown network that the project trains 'mobilenet_v2'"):
        assets.training_seeds("mobilenet_v2")
    monkeypatch.setattr(assets.registry, "WEIGHTS", tmp_path)
    for name in ("birds_vgg", "birds_vgg-seed3", "birds_vgg-seed1", "birds_vgg-seed9"):
        (tmp_path / f"{name}.json").touch()
    assert assets.training_seeds("birds_vgg") == ["birds_vgg", "birds_vgg-seed1", "birds_vgg-seed3"]
    with pytest.raises(assets.MissingFile, match="train birds_vgg --seed 2` trains it"):
        models.load("birds_vgg-seed2")


def test_the_pages_on_data_have_all_there_is():
    card = (ROOT / "data/README.md").read_text(encoding="utf-8")
    table = registry_table.papers_table()
    assert {*models.MODELS, *datasets.DATASETS} <= set(re.findall(r"[\w-]+", card + table))
    for name, record in datasets.DATASETS.items():
        if record.folder:
            row = f"| `{name}` | `{record.folder}` | {record.count:,} | {', '.join(record.splits)} | "
            (found,) = [line for line in table.splitlines() if line.startswith(row)]
            assert f"({record.page})" in found if record.page else "no address" in found
            assert ("after a login" in found) == record.login == ("after a login" in record.source)


def test_names_in_the_data_cards_are_in_code_font():
    text = (ROOT / "data/README.md").read_text(encoding="utf-8")
    text = re.sub(r"`[^`]*`|\S*(?:/|\.\w)\S*", " ", text)  # without code, addresses and files
    names = {name for name in (*models.MODELS, *datasets.DATASETS) if "_" in name or "-" in name}
    assert not names & set(re.findall(r"[\w-]+", text))


def test_root(monkeypatch):
    monkeypatch.setenv("CONTRASTLIB_DATA", "")
    assert assets.root() == assets.registry.DEFAULT_ROOT
    monkeypatch.setenv("CONTRASTLIB_DATA", "~/elsewhere")
    assert assets.root().name == "elsewhere" and "~" not in str(assets.root())
    monkeypatch.setenv("CONTRASTLIB_DATA", "elsewhere")
    assert assets.root() == Path("elsewhere").absolute()


def test_present(registry):
    put(CONTENT)
    assert assets.path(NAME).read_bytes() == CONTENT
    assert assets.available(NAME) and assets.state(NAME) == "present"


def test_missing_says_where_from_and_where_to(registry):
    with pytest.raises(assets.MissingFile, match=f"{NAME} .*is not in .*Put the file at") as error:
        assets.path(NAME)
    where = str(assets.root() / NAME)
    for part in (NAME, "a drawing", "example.org/drawings", "by hand", where, "CONTRASTLIB_DATA"):
        assert part in str(error.value)
    assert assets.state(NAME) == "missing" and not assets.available(NAME)


def test_missing_with_an_address_says_how_to_fetch(registry):
    registry["url"] = "https://example.org/drawing.bin"
    with pytest.raises(assets.MissingFile, match=f"data fetch {NAME}.*https://example.org/drawing.bin"):
        assets.path(NAME)


@pytest.mark.parametrize(
    "content, complaint",
    [(CONTENT[:-1], "511,999 bytes instead of 512,000"), (CONTENT[::-1], "SHA-256 is not")],
)
def test_corrupt(registry, content, complaint):
    put(content)
    with pytest.raises(assets.CorruptFile, match=complaint):
        assets.path(NAME)
    assert assets.state(NAME) == "corrupt" and not assets.available(NAME)
    assert assets.path(NAME, verify=False).exists()


def test_a_change_after_the_check_is_noticed(registry):
    put(CONTENT)
    assets.path(NAME)
    put(CONTENT[::-1])
    assert assets.state(NAME) == "corrupt"


def test_unknown_name_gives_the_nearest(registry):
    with pytest.raises(ValueError, match="did you mean 'drawing.bin'"):
        assets.path("drawings.bin")
    with pytest.raises(ValueError, match="there are drawing.bin"):
        assets.file("zzz")


def test_fetch(remote):
    assert assets.fetch(NAME, progress=False).read_bytes() == CONTENT
    assert [file.name for file in assets.root().iterdir()] == [NAME]
    assets.fetch(NAME)
    assert len(remote.ranges) == 1, "a file that is there must not be fetched again"


def test_fetch_replaces_a_corrupt_file(remote):
    put(CONTENT[::-1])
    assert assets.fetch(NAME, progress=False).read_bytes() == CONTENT


def test_fetch_shows_progress(remote, capsys):
    assets.fetch(NAME)
    assert "512k/512k" in capsys.readouterr().err


def test_a_broken_download_goes_on_where_it_was(remote):
    remote.faults = ["truncate"]
    assert assets.fetch(NAME, progress=False).read_bytes() == CONTENT
    first, second = remote.ranges
    assert first == "bytes=0-"
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= len(CONTENT) // 2


def test_a_later_call_goes_on_where_the_first_was(remote):
    remote.faults = ["truncate"]
    with pytest.raises(assets.MissingFile, match="broke.*bytes that arrived are kept.*Try again"):
        assets.fetch(NAME, progress=False, retries=0)
    part = assets.root() / f"{NAME}.part"
    kept = part.stat().st_size
    assert kept > 0 and not (assets.root() / NAME).exists()
    assert assets.fetch(NAME, progress=False).read_bytes() == CONTENT
    assert remote.ranges[1] == f"bytes={kept}-"
    assert not part.exists()


def test_a_response_that_breaks_off_goes_on_where_it_was_though_its_length_was_not_said(remote):
    remote.faults = ["unsaid"]
    assert assets.fetch(NAME, progress=False).read_bytes() == CONTENT
    assert remote.ranges == ["bytes=0-", f"bytes={len(CONTENT) // 2}-"]


def test_what_a_process_left_before_it_was_moved_is_not_believed(server, tmp_path):
    file = tmp_path / NAME
    left = file.with_name(f"{NAME}.checked")
    left.write_bytes(b"wrong bytes")
    download(f"{server.address}/{NAME}", file, f"md5:{hashlib.md5(CONTENT).hexdigest()}", progress=False)
    assert file.read_bytes() == CONTENT
    assert server.ranges == ["bytes=0-"] and not left.exists()


def test_a_server_without_ranges_starts_over(remote):
    remote.honours_ranges = False
    remote.faults = ["truncate"]
    assert assets.fetch(NAME, progress=False).read_bytes() == CONTENT


def test_a_corrupted_download_is_thrown_away_and_tried_again(remote):
    remote.faults = ["corrupt"]
    assert assets.fetch(NAME, progress=False).read_bytes() == CONTENT
    assert remote.ranges == ["bytes=0-", "bytes=0-"]


def test_what_arrived_in_full_before_a_kill_is_not_asked_for_again(remote):
    put(b"")
    (assets.root() / f"{NAME}.part").write_bytes(CONTENT)
    assert assets.fetch(NAME, progress=False).read_bytes() == CONTENT
    assert remote.ranges == [f"bytes={len(CONTENT)}-"], "and the server had no more"


def test_a_beginning_that_is_another_file_is_thrown_away(remote):
    put(b"")
    (assets.root() / f"{NAME}.part").write_bytes(bytes(1000))
    assert assets.fetch(NAME, progress=False).read_bytes() == CONTENT
    assert remote.ranges == ["bytes=1000-", "bytes=0-"]


@pytest.mark.parametrize(
    "checksum",
    [
        f"sha256:{hashlib.sha256(CONTENT).hexdigest()}",
        f"sha256:{hashlib.sha256(CONTENT).hexdigest()[:8]}",
        f"md5:{hashlib.md5(CONTENT).hexdigest()}",
    ],
)
def test_checksums(server, tmp_path, checksum):
    file, url = tmp_path / "new" / NAME, f"{server.address}/{NAME}"
    server.faults = ["truncate", "corrupt"]
    download(url, file, checksum, progress=False)
    assert file.read_bytes() == CONTENT and len(server.ranges) == 3
    download(url, file, checksum, progress=False)
    assert len(server.ranges) == 3, "a file that is there must not be downloaded again"
    file.write_bytes(CONTENT[::-1])
    with pytest.raises(assets.CorruptFile, match="serves another content.*its checksum is not md5:00"):
        download(url, file, "md5:00", progress=False, retries=0)
    assert file.read_bytes() == CONTENT[::-1], "nothing is replaced by a file that is wrong too"
    download(url, file, checksum, progress=False)
    assert file.read_bytes() == CONTENT and [each.name for each in file.parent.iterdir()] == [NAME]


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(CannotWrite, match="taken.* cannot be written: File exists"):
        download(f"{server.address}/{NAME}", tmp_path / "taken" / NAME, "md5:00")


def test_a_file_that_is_there_needs_no_permission_to_write(server, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    file, checksum = tmp_path / NAME, f"md5:{hashlib.md5(CONTENT).hexdigest()}"
    file.write_bytes(CONTENT)
    monkeypatch.setattr("contrastlib.assets.download.locked", refused)
    download(f"{server.address}/{NAME}", file, checksum)
    with pytest.raises(CannotWrite, match=f"other.bin cannot be written: {os.strerror(errno.EACCES)}"):
        download(f"{server.address}/{NAME}", tmp_path / "other.bin", checksum)


def test_a_disk_that_is_full_during_a_download(remote, monkeypatch):
    class Full(io.FileIO):
        def write(self, chunk):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("contrastlib.assets.download.open", Full, raising=False)
    with pytest.raises(CannotWrite, match=rf"{NAME}\.part cannot be written: No space.*free some space"):
        assets.fetch(NAME, progress=False, retries=0)


def test_a_download_waits_for_another_process_and_takes_its_file(remote):
    assets.root().mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool:
        with locked(assets.root() / f"{NAME}.lock", wait=True):
            waiting = pool.submit(assets.fetch, NAME, progress=False)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            put(CONTENT)
        assert waiting.result().read_bytes() == CONTENT
    assert remote.ranges == []


def test_an_address_with_another_content(remote):
    remote.faults = ["corrupt"] * 2
    with pytest.raises(assets.CorruptFile, match="serves another content"):
        assets.fetch(NAME, progress=False, retries=1)
    assert not list(assets.root().iterdir())


def test_a_server_that_refuses(remote):
    remote.faults = ["refuse"] * 2
    with pytest.raises(assets.MissingFile, match="503.*put the file at"):
        assets.fetch(NAME, progress=False, retries=1)


def test_no_two_networks_share_a_title():
    titles = [network.title for network in models.MODELS.values()]
    assert len(set(titles)) == len(titles)


def test_no_server(registry):
    """One clause says so, and not the errors one inside the other."""
    registry["url"] = "http://127.0.0.1:9/drawing.bin"
    with pytest.raises(
        assets.MissingFile,
        match=r"could not be downloaded: there is no connection to 127.0.0.1:9\. Try again",
    ) as error:
        assets.fetch(NAME, progress=False, retries=0)
    assert "Max retries" not in str(error.value)


def test_fetch_without_an_address(registry):
    with pytest.raises(assets.MissingFile, match="cannot be fetched.*example.org/drawings"):
        assets.fetch(NAME)


def command(*words):
    parser = argparse.ArgumentParser()
    data.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["data", *words])
    return arguments.func(arguments)


def test_command_lists(registry, capsys):
    assert command() == 0
    assert f"missing  {NAME}" in (out := capsys.readouterr().out) and "0 of 1 files" in out
    put(CONTENT)
    command()
    assert f"present  {NAME}" in (out := capsys.readouterr().out) and "1 of 1 files made by others" in out


def test_command_lists_all_in_80_columns(monkeypatch, tmp_path, capsys):
    """Each with state, source and licence; every line fits."""
    monkeypatch.setenv("CONTRASTLIB_DATA", "")
    monkeypatch.setattr(assets.registry, "DEFAULT_ROOT", tmp_path)
    (tmp_path / "food-101" / "images").mkdir(parents=True)
    assert command() == 0
    out = capsys.readouterr().out
    named = dict(
        reversed(line.split()) for line in out.splitlines() if line.startswith(("present", "missing"))
    )
    sets = {name for name, record in assets.datasets().items() if not record.files}
    assert named.keys() == {*assets.files(), *sets, *assets.trained_names()}
    assert {name for name, state in named.items() if state == "present"} == {
        "birds",
        "bird-scenes",
        "folder",
        *assets.trained_names(),
        *(name for name, file in assets.files().items() if file.package),
    }
    assert out.count(" Licence:") == out.count(" Source:") == len(named)
    assert all(len(line) <= 80 for line in out.splitlines()[:-1])
    (tmp_path / "food-101" / "meta").mkdir()
    command()
    assert "present  food101\n" in capsys.readouterr().out


def test_command_fetches_by_file_and_by_use(remote, capsys):
    for name in (NAME, "drawings", "all"):
        assert command("fetch", name) == 0
    assert str(assets.root() / NAME) in capsys.readouterr().out


def test_command_fetch_says_what_it_cannot(registry, capsys):
    assert command("fetch", NAME) == 1
    assert "example.org/drawings" in capsys.readouterr().err


def test_command_verifies(registry, capsys):
    def states():
        return [line.split()[0] for line in capsys.readouterr().out.splitlines()]

    assert command("verify") == 1 and states() == ["missing"] + ["present"] * len(assets.trained_names())
    put(CONTENT)
    assert command("verify", "drawings") == 0 and states() == ["present"]
    assert command("verify") == 0 and set(states()) == {"present"}
    put(CONTENT[::-1])
    assert command("verify", NAME) == 1 and states() == ["corrupt"]
    assert command("verify", "birds_vgg", "birds") == 0 and states() == ["present"] * 2
    assert command("verify", "cub200") == 1 and states() == ["missing"]


def test_command_verifies_the_shipped_weights(registry, tmp_path, monkeypatch, capsys):
    put(CONTENT)
    assert command("verify") == 0
    for end in ("safetensors", "json"):
        shutil.copy(assets.WEIGHTS / f"birds_vit.{end}", tmp_path)
    monkeypatch.setattr(assets.registry, "WEIGHTS", tmp_path)
    monkeypatch.setattr(assets, "WEIGHTS", tmp_path)
    (tmp_path / "birds_vit.safetensors").write_bytes(b"something else")
    capsys.readouterr()
    assert command("verify") == 1
    assert f"corrupt  {tmp_path / 'birds_vit.safetensors'}" in capsys.readouterr().out


def test_command_fetches_what_is_shipped_or_drawn(registry, capsys):
    assert command("fetch", "birds_vgg", "birds") == 0
    said = capsys.readouterr().out
    assert (
        f"present  {assets.WEIGHTS / 'birds_vgg.safetensors'}\npresent  birds, drawn when it is used\n"
        == said
    )


def test_an_installation_without_the_repository_says_how_to_get_the_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(assets.registry, "WEIGHTS", tmp_path / "weights")
    with pytest.raises(
        assets.MissingFile,
        match="birds_vgg is part of .*repository, but not of the installed.*pip install -e",
    ):
        models.load("birds_vgg")
    assert command() == 0 and "birds_vgg" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="unknown file, data set or network 'birds_vgg'"):
        command("fetch", "birds_vgg")


def test_command_with_an_unknown_name(registry):
    with pytest.raises(ValueError, match="did you mean 'drawings'"):
        command("fetch", "drawing")
    with pytest.raises(ValueError, match="did you mean 'torchvision/vgg16_bn'"):
        command("fetch", "torchvision/vgg16bn")


@pytest.mark.parametrize("path", assets.registry.REGISTRIES, ids=lambda path: path.stem)
def test_no_entry_stands_twice(path):
    names = [
        line.split(":")[0].strip()
        for line in path.read_text().splitlines()
        if line[:2] == "  " and line[2] not in " #"
    ]
    assert names == list(yaml.safe_load(path.read_text())[path.stem])


def test_weights_that_the_project_trained_are_checked(tmp_path, monkeypatch, capsys):
    for end in ("safetensors", "json"):
        shutil.copy(assets.WEIGHTS / f"birds_vit.{end}", tmp_path)
    monkeypatch.setattr(assets.registry, "WEIGHTS", tmp_path)
    weights = tmp_path / "birds_vit.safetensors"
    assert assets.trained("birds_vit")[0] == weights
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(assets.CorruptFile, match="another content.*git checkout data/weights"):
        models.load("birds_vit")
    assert main(["data"]) == 0 and "corrupt  birds_vit\n" in capsys.readouterr().out
    weights.unlink()
    with pytest.raises(assets.MissingFile, match="contrastlib train"):
        models.load("birds_vit")


def test_weights_of_a_network_whose_registry_is_not_set_any_more(tmp_path, monkeypatch):
    monkeypatch.setattr(assets.registry, "WEIGHTS", tmp_path)
    (tmp_path / "toy.json").write_text('{"sha256": "0"}')
    remedy = "`python -m contrastlib train toy` with CONTRASTLIB_REGISTRY set to the file that describes it"
    assert assets.state("toy") == "missing"
    with pytest.raises(assets.MissingFile, match=remedy):
        assets.trained("toy")
    (tmp_path / "toy.safetensors").write_bytes(b"another")
    assert assets.state("toy") == "corrupt"
    with pytest.raises(assets.CorruptFile, match=remedy):
        assets.trained("toy")
