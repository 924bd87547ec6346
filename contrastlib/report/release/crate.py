"""Results with their provenance as an RO-Crate, and the claims that rest on them.

Each table is a file with its size and checksum. A CreateAction says which commit, parameters, networks and
data made it and when, as the profile Process Run Crate asks (https://w3id.org/ro/wfrun/process/0.5). Each
claim is a Claim with a ClaimReview, which names the tables that the verdict is based on.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from contrastlib import assets
from contrastlib.report.pages.claim_records import networks
from contrastlib.report.release.kept_tables import KeptTable, asset, inputs
from contrastlib.report.release.metadata import schema_author
from contrastlib.report.results.provenance import REPOSITORY, as_list

if TYPE_CHECKING:
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

VERSION = "1.1"
"""Version of RO-Crate, the one on which the profile is based."""
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
PARQUET = "application/vnd.apache.parquet"
RESULTS = "results"
"""Folder of the tables in the crate."""
REVIEWED = ("scale", "generalisation", "effect", "interval", "toy", "criterion")
"""Fields of a claim that its review has."""


def write_crate(folder: Path, claims: Path, tables: Sequence[KeptTable]) -> None:
    """Write the crate: ``ro-crate-metadata.json``, the tables, ``claims.json`` and the licence.

    Args:
        folder: Folder of the crate. An earlier crate is replaced.
        claims: Path of ``claims.json`` of the built book.
        tables: The tables.

    Raises:
        FileNotFoundError: The book is not built.
    """
    from rocrate.rocrate import ROCrate  # of the extra report

    if not claims.exists():
        raise FileNotFoundError(f"there is no {claims}: run `make book`")
    crate = ROCrate(version=VERSION)
    _describe(crate, max(_end(table) for table in tables))
    given = {each: _input(crate, *each) for each in inputs(tables)}
    files = {table.path.name: _result(crate, table, given) for table in tables}
    crate.add_file(claims, properties={"name": "Claims with their verdicts", **_about(claims)})
    crate.add_file(REPOSITORY / "LICENSE", properties={"name": "MIT licence"})
    for record in json.loads(claims.read_text(encoding="utf-8")):
        _claim(crate, record, [files[table.path.name] for table in tables if rests_on(record, table)])
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier crate, whose tables may have other names
    crate.write(folder)


def rests_on(record: Mapping, table: KeptTable) -> bool:
    """Whether a claim is judged by a table of the scale ``real``.

    Args:
        record: As from :func:`contrastlib.report.pages.claim_records.released`.
        table: The table.
    """
    return (
        record.get("scale") == "real"
        and record["study"] == table.study
        and table.network in {name.replace("/", "-") for name in networks(record, "real")}
    )


def papers() -> dict[str, str]:
    """Key of the bibliography -> address of the paper.

    >>> papers()["eriksson2025"]
    'https://arxiv.org/abs/2501.11096'
    """
    text = (REPOSITORY / "book" / "references.bib").read_text(encoding="utf-8")
    return dict(re.findall(r"(?s)@\w+\{(\w+),.*?\burl\s*=\s*\{([^}]*)\}", text))


def _describe(crate: ROCrate, date: str) -> None:
    """The crate as a whole."""
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    crate.name = f"Results of: {citation['title']}"
    crate.description = citation["abstract"].strip()
    crate.datePublished = str(citation.get("date-released", date))
    crate.license = _entity(
        crate, f"https://spdx.org/licenses/{citation['license']}", "CreativeWork", name=citation["license"]
    )
    crate.root_dataset["version"] = citation["version"]
    crate.root_dataset["keywords"] = citation["keywords"]
    crate.root_dataset["author"] = [_author(crate, n, each) for n, each in enumerate(citation["authors"], 1)]
    crate.root_dataset["conformsTo"] = _entity(crate, PROFILE, "CreativeWork", name="Process Run Crate")


def _author(crate: ROCrate, number: int, author: Mapping) -> ContextEntity:
    record = schema_author(author)
    if "affiliation" in record:
        name = record["affiliation"]["name"]
        record["affiliation"] = _entity(crate, f"#affiliation-{number}", "Organization", name=name)
    return _entity(crate, record.pop("@id", f"#author-{number}"), record.pop("@type"), **record)


def _input(crate: ROCrate, name: str, checksum: str) -> ContextEntity:
    """A network or a data set that studies read."""
    known = asset(name)
    about = {"source": known.source, "licence": known.licence} if known else {}
    return _entity(
        crate,
        re.sub(r"[^\w#-]+", "-", f"#{name}-{checksum[:40]}"),
        "CreativeWork",
        name=known.title if known else name,
        identifier=checksum,
        description=", ".join(f"{key}: {value}" for key, value in about.items()) or name,
    )


def _result(crate: ROCrate, table: KeptTable, entities: Mapping[tuple, ContextEntity]) -> ContextEntity:
    """A table, and the action that made it."""
    about = {"name": f"{table.study}, {table.network}", "encodingFormat": PARQUET, **_about(table.path)}
    file = crate.add_file(table.path, f"{RESULTS}/{table.path.name}", properties=about)
    parameters = _entity(
        crate, f"#parameters-{table.path.stem}", "PropertyValue", name="parameters", value=settings(table)
    )
    crate.add_action(
        instrument=[_software(crate, commit) for commit in as_list(table.provenance["commit"])],
        identifier=f"#run-{table.path.stem}",
        object=[*(entities[each] for each in table.inputs.items()), parameters],
        result=file,
        properties={
            "name": f"Study {table.study} of {table.network}",
            "endTime": _end(table),
            "description": f"{table.provenance['seconds']} s of computing on {table.provenance['machine']}; "
            f"Python {table.provenance['python']}, {', '.join(table.libraries)}",
        },
    )
    return file


def settings(table: KeptTable) -> str:
    """Distinct parameters of the shards of a table and their number of images, as JSON."""
    shards = as_list(table.provenance.get("parameters", []))
    images: dict[str, int] = {}
    for shard in shards:
        setting = {key: value for key, value in shard.items() if key not in ("images", "batch")}
        key = json.dumps(setting, sort_keys=True)
        images[key] = images.get(key, 0) + len(shard["images"])
    return json.dumps([json.loads(key) | {"images": count} for key, count in images.items()], sort_keys=True)


def _software(crate: ROCrate, commit: str) -> ContextEntity:
    identifier = f"#contrastlib-{commit[:10]}"
    return _entity(crate, identifier, "SoftwareApplication", name="contrastlib", version=commit)


def _claim(crate: ROCrate, record: Mapping, based_on: Iterable[ContextEntity]) -> None:
    """A claim and its verdict. A claim without a verdict has no review."""
    found = {"text": record["text"], "name": record["id"], "about": record["population"]}
    paper = papers().get(record["paper"])
    if paper:
        found["appearance"] = _entity(crate, paper, "ScholarlyArticle", name=record["paper"])
    claim = _entity(crate, f"#claim-{record['id']}", "Claim", **found)
    if record["verdict"] is None:
        return
    word = record["verdict"]
    review = _entity(
        crate,
        f"#verdict-{record['id']}",
        "ClaimReview",
        claimReviewed=record["text"],
        itemReviewed=claim,
        reviewRating=_entity(crate, f"#{word.replace(' ', '-')}", "Rating", alternateName=word),
        reviewBody=json.dumps({key: record[key] for key in REVIEWED}),
        isBasedOn=list(based_on),
    )
    crate.root_dataset.append_to("mentions", review)


def _entity(crate: ROCrate, identifier: str, kind: str, /, **properties: object) -> ContextEntity:
    """The entity with an identifier, which is added with its properties if there is none."""
    from rocrate.model.contextentity import ContextEntity

    if entity := crate.get(identifier):
        return entity
    entity = crate.add(ContextEntity(crate, identifier, {"@type": kind}))
    for key, value in properties.items():
        entity[key] = value
    return entity


def _about(path: Path) -> dict:
    return {"contentSize": str(path.stat().st_size), "sha256": assets.sha256(path)}


def _end(table: KeptTable) -> str:
    """Time of the last shard. That of the start is not recorded."""
    return table.provenance["date"].rpartition(" to ")[2]
