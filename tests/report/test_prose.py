"""Texts for readers are in short sentences and standard terms: pages, notebooks, captions, claims."""

import ast
import io
import re
import tokenize

import pytest
import yaml

from contrastlib.report.claims.records import claims
from contrastlib.report.notebooks import execution
from contrastlib.report.pages.captions import captions

BOOK = execution.REPOSITORY / "book"
CODE = sorted(
    path.relative_to(execution.REPOSITORY).as_posix()
    for folder in ("contrastlib", "benchmarks", "tests")
    for ending in ("py", "js", "css")
    for path in (execution.REPOSITORY / folder).rglob(f"*.{ending}")
)
# code, formulas of their own lines, headings, tables, directives, front matter
NO_PROSE = re.compile(
    r"(?sm)```.*?```|\$\$.*?\$\$|\\begin\{.*?\\end\{[a-z*]+\}|<[^>]*>|^\|.*?$|^#+ .*?$|^:::.*?$|\A---.*?^---$"
)
# words that stood here once for what the field has terms for, and what the papers' authors could call unfair
BANNED = re.compile(
    r"\b(way back|what enters|judge is the accused|wrong on both counts|refuted as stated|"
    r"pictures? to be moved|places? of a map|each place|"
    r"at (all|every) places?|"
    r"behind (the softmax|each|them|(?<!server behind )it)|(lies|stands|comes|kept) behind|"
    r"a still|by either judge)\b",
    re.IGNORECASE,
)
LONGEST, MEAN, LONGEST_CAPTION = 45, 16, 30


def pages():
    found = {path.name: path.read_text(encoding="utf-8") for path in BOOK.glob("*.md")}
    for path in execution.find([]):
        cells = [cell.source for cell in execution.read(path).cells if cell.cell_type == "markdown"]
        found[path.name] = "\n\n".join(cells)
    found["notebooks/README.md"] = (execution.REPOSITORY / "notebooks" / "README.md").read_text(
        encoding="utf-8"
    )
    return found


PAGES = pages()


def sentences(text):
    """Sentences of the prose in Markdown, in which a formula or a piece of code is one word."""
    text = re.sub(r"`[^`]*`|\$[^$]*\$", "x", NO_PROSE.sub("\n\n", text))
    text = re.sub(r"\{[\w:-]+\}", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text))
    for block in re.split(r"(?m)\n\s*\n|^\s*(?:[-*]|\d+\.) ", text):
        for sentence in re.split(r"(?<=[.!?:;])[\"”*)]*\s+", block.strip()):
            if sentence:
                yield " ".join(sentence.split())


def count(sentence):
    return len(re.findall(r"[A-Za-z][\w’'-]*", sentence))


def test_sentences():
    text = "# Title\n\nA map of $x$ is *red*. It says `why`: see [this page](a.md).\n\n- one item\n- another"
    assert list(sentences(text)) == [
        "A map of x is *red*.",
        "It says x:",
        "see this page.",
        "one item",
        "another",
    ]


@pytest.mark.parametrize("name", PAGES)
def test_sentences_are_short(name):
    lengths = {sentence: count(sentence) for sentence in sentences(PAGES[name])}
    assert not {sentence: length for sentence, length in lengths.items() if length > LONGEST}
    prose = [length for length in lengths.values() if length > 2]
    assert sum(prose) / max(len(prose), 1) <= MEAN


def test_captions_have_short_sentences():
    said = [
        caption.text
        for path in execution.find([])
        for caption in captions(execution.read(path).cells).values()
    ]
    assert not [each for caption in said for each in sentences(caption) if count(each) > LONGEST_CAPTION]


def test_claims_are_short():
    assert not [
        claim.text
        for claim in claims().values()
        if any(count(each) > LONGEST for each in sentences(claim.text))
    ]


def test_no_dialect_in_comments_of_the_configuration():
    text = (execution.REPOSITORY / "_config.yml").read_text(encoding="utf-8")
    assert not [found.group() for found in BANNED.finditer(text)]


@pytest.mark.parametrize(
    "name", [*PAGES, *sorted(path.relative_to(BOOK).as_posix() for path in BOOK.rglob("*.yaml"))]
)
def test_no_dialect(name):
    text = PAGES.get(name) or yaml.safe_dump(
        yaml.safe_load((BOOK / name).read_text(encoding="utf-8")), width=10**6, allow_unicode=True
    )
    assert not [found.group() for found in BANNED.finditer(text)]


def written_in(file):
    """What a person reads in a file of code: all of a script, comments and texts of Python.

    Tests quote what is banned.
    """
    code = (execution.REPOSITORY / file).read_text(encoding="utf-8")
    if not file.endswith(".py"):
        return code
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    nodes = [
        each.value if isinstance(each, ast.Expr) else None if file.startswith("tests/") else each
        for each in ast.walk(ast.parse(code))
    ]
    texts = [each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return "\n\n".join(" ".join(text.split()) for text in [*comments, *texts])


@pytest.mark.parametrize("file", CODE)
def test_no_dialect_in_code(file):
    assert not [found.group() for found in BANNED.finditer(written_in(file))]


@pytest.mark.parametrize("path", execution.find([]), ids=lambda path: path.stem)
def test_no_dialect_in_cells_of_code(path):
    code = "\n".join(cell.source for cell in execution.read(path).cells if cell.cell_type == "code")
    assert not [found.group() for found in BANNED.finditer(code)]
