"""Locked requirements: the versions of the constraints, every file by its hash, no address."""

import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRIES = [entry.strip() for entry in re.split(r"^(?=\w)", LOCK, flags=re.MULTILINE) if entry.strip()]


def pins(name):
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return {canonicalize_name(Requirement(line).name): Requirement(line).specifier for line in lines if line}


def locked():
    return [Requirement(re.split(r"\s*\\?\n", entry)[0]) for entry in ENTRIES]


def needed(requirement, version, platform="linux"):
    machine = {
        "python_version": version,
        "python_full_version": f"{version}.1",
        "sys_platform": platform,
        "platform_system": platform.title(),
        "platform_machine": "x86_64",
    }
    return requirement.marker is None or requirement.marker.evaluate(machine)


def test_the_versions_are_those_of_the_constraints():
    constraints = pins("constraints.txt")
    for each in locked():
        name = canonicalize_name(each.name)
        if needed(each, "3.11") and name != "wheel":  # which the constraints leave out, as pip
            assert constraints[name] == each.specifier, f"{name}: run `make lock`"


def test_all_that_is_asked_for_is_locked():
    names = {canonicalize_name(each.name) for each in locked()}
    for file in ("requirements.txt", "requirements-peers.txt"):
        assert set(pins(file)) <= names


def test_every_file_has_a_hash():
    for entry in ENTRIES:
        hashes = re.findall(r"--hash=(sha256):([0-9a-f]{64})\b", entry)
        assert hashes and len(hashes) == entry.count("--hash"), entry.splitlines()[0]


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_one_version_of_each_package(version):
    names = [canonicalize_name(each.name) for each in locked() if needed(each, version)]
    assert len(names) == len(set(names)) > 150


def test_no_address_of_an_index():
    assert "://" not in LOCK and "index-url" not in LOCK and " @ " not in LOCK


def test_npm_by_integrity():
    """Every package has a hash, and none the address of a registry."""
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        if name:
            assert re.fullmatch(r"sha512-[\w+/]{86}==", package["integrity"]) and "resolved" not in package
    wanted = json.loads((ROOT / "package.json").read_text())
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version
