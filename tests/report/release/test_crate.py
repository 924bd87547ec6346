"""The results as an RO-Crate: what it must have, and that a claim leads to the commit and the data."""

import hashlib
import json

import pytest
from rocrate.rocrate import ROCrate

from contrastlib.report.release import crate
from contrastlib.report.release.kept_tables import FOLDER, KeptTable, kept_tables

STUDY = "part_interventions"
CLAIM = "interventions-original-asks-for-the-logit"


def tables():
    """The kept tables of one study."""
    return [table for table in kept_tables() if table.study == STUDY]


@pytest.fixture
def written(claims_file, tmp_path):
    """A crate of the tables of one study: its folder, and its entities by their identifiers."""
    crate.write_crate(tmp_path / "crate", claims_file, tables())
    graph = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    assert len({each["@id"] for each in graph}) == len(graph)
    return tmp_path / "crate", {each["@id"]: each for each in graph}


def references(value):
    if isinstance(value, list):
        return [found for each in value for found in references(each)]
    if isinstance(value, dict):
        return [value["@id"]] if set(value) == {"@id"} else references(list(value.values()))
    return []


def listed(value):
    return value if isinstance(value, list) else [value]


def test_the_required_fields(written):
    """RO-Crate 1.1: descriptor, root with name, description, date and licence, described files."""
    folder, entities = written
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["about"] == {"@id": "./"} and descriptor["conformsTo"] == {
        "@id": "https://w3id.org/ro/crate/1.1"
    }
    assert {"name", "description", "datePublished", "license", "author", "hasPart"} <= set(root)
    assert root["conformsTo"] == {"@id": crate.PROFILE}
    files = {name for name, each in entities.items() if "File" in listed(each["@type"])}
    assert files == {each["@id"] for each in root["hasPart"]} and len(files) == len(tables()) + 2
    for name in files - {"LICENSE"}:
        content = (folder / name).read_bytes()
        assert entities[name]["sha256"] == hashlib.sha256(content).hexdigest() and entities[name][
            "contentSize"
        ] == str(len(content))
    assert ROCrate(folder).name == root["name"]


def test_every_reference_is_described(written):
    _, entities = written
    described = {f"https://w3id.org/ro/crate/{crate.VERSION}"} | set(entities)
    for entity in entities.values():
        fields = {key: value for key, value in entity.items() if key != "@id"}
        assert set(references(list(fields.values()))) <= described, entity["@id"]


def test_an_action_made_each_table(written):
    _, entities = written
    actions = {each["result"]["@id"]: each for each in entities.values() if each["@type"] == "CreateAction"}
    tables = {name for name in entities if name.startswith(f"{crate.RESULTS}/")}
    assert set(actions) == tables
    for name in tables:
        action, own = actions[name], KeptTable(FOLDER / name.partition("/")[2], STUDY, "").provenance
        assert [entities[each]["version"] for each in references(action["instrument"])] == [own["commit"]]
        given = {entities[each].get("identifier") for each in references(action["object"])}
        assert set(own["data"].values()) <= given
        assert own["date"].endswith(action["endTime"]) and "startTime" not in action
        parameters = next(
            entities[each]
            for each in references(action["object"])
            if entities[each]["@type"] == "PropertyValue"
        )
        assert sum(each["images"] for each in json.loads(parameters["value"])) == sum(
            len(each["images"]) for each in own["parameters"]
        )


def test_a_claim_leads_to_its_tables(written, records):
    _, entities = written
    review = entities[f"#verdict-{CLAIM}"]
    record = next(each for each in records if each["id"] == CLAIM)
    assert entities[review["reviewRating"]["@id"]]["alternateName"] == record["verdict"]
    assert entities[review["itemReviewed"]["@id"]]["text"] == record["text"]
    assert {
        name.partition("-")[2].removesuffix(".parquet") for name in references(review["isBasedOn"])
    } == set(record["findings"]["real"]["effects"])
    assert json.loads(review["reviewBody"])["toy"] is True
    claims = {each["@id"] for each in entities.values() if each["@type"] == "Claim"}
    assert claims == {f"#claim-{each['id']}" for each in records}
    reviewed = {each["@id"] for each in entities.values() if each["@type"] == "ClaimReview"}
    assert reviewed == {f"#verdict-{each['id']}" for each in records if each["verdict"]}


def test_every_claim_on_photographs_rests_on_tables(records):
    """Except those whose study reads no network by name."""
    tables = kept_tables()
    studies = {table.study for table in tables}
    for record in records:
        if record["scale"] == "real" and record["study"] in studies:
            assert any(crate.rests_on(record, table) for table in tables), record["id"]


def test_a_book_that_is_not_built(tmp_path):
    with pytest.raises(FileNotFoundError, match="run `make book`"):
        crate.write_crate(tmp_path / "crate", tmp_path / "claims.json", kept_tables()[:1])


def test_a_folder_without_results(tmp_path):
    with pytest.raises(FileNotFoundError, match="make them with `make real`"):
        kept_tables(tmp_path)
