"""What users read is plain English: the words that the project has replaced do not come back."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "daemon/gemwatch"
BANNED = (
    r"told|(?:is|are|be|was|were) said|tells? (?:of|it|them)|hears? of|mend(?:s|ed|ing)?|anew|beside|meanwhile|"
    r"(?:a|the|each|one) looks?|looks at (?:a|the|each|every) jobs?|looked at|polled no more|in order (?=[,:.])|"
    r"needs[- ](?:a[- ])?look|puts? off|put back|set aside|as it comes|goes on|whoever|the run before|at its end|"
    r"so many|trouble|works again|a token was had|who asks|its word|sweeper|courier|is well"
)
WORDS = re.compile(rf"\b(?:{BANNED})\b", re.IGNORECASE)
FINE = re.compile(r"troubleshoot\w*", re.IGNORECASE)
DOCUMENTS = sorted(
    path
    for pattern in (
        "*.md",
        "*.yaml",
        "docs/*.md",
        "docs/*/*.md",
        "docs/*/*.yaml",
        "systemd/*",
        "examples/*.md",
        "examples/*/*.md",
    )
    for path in ROOT.glob(pattern)
)
TEMPLATES = sorted((SOURCE / "web/pages").rglob("*.html")) + sorted((SOURCE / "web/pages").rglob("*.js"))
PAGES = [path for path in DOCUMENTS if path.suffix == ".md"]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
LONGEST_NAME = 59  # characters
SPEAKING = sorted(path for path in SOURCE.rglob("*.py"))


def found(text: str) -> list[str]:
    return [match[0] for match in WORDS.finditer(FINE.sub("", text))]


def docstring_of(node: ast.AST) -> ast.Constant | None:
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        return body[0].value
    return None


def sentences(path: Path) -> Iterator[str]:
    """The texts in a module that users may read. Docstrings are not, but those of commands are their help."""
    tree = ast.parse(path.read_text())
    commands = {id(docstring_of(node)) for node in tree.body if isinstance(node, ast.FunctionDef)}
    if not path.is_relative_to(SOURCE / "cli"):
        commands = set()
    docstrings = {id(docstring_of(node)) for node in ast.walk(tree)} - commands
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value if " " in node.value else ""


def notes(path: Path) -> Iterator[str]:
    """The docstrings and comments of a module."""
    text = path.read_text()
    yield from (str(constant.value) for node in ast.walk(ast.parse(text)) if (constant := docstring_of(node)))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    yield from (token.string for token in tokens if token.type == tokenize.COMMENT)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_use_plain_words(path: Path) -> None:
    lines = {number: found(line) for number, line in enumerate(path.read_text().splitlines(), 1) if found(line)}
    assert lines == {}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_pages_use_plain_words(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}|^\s*//.*$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert found(text) == []


@pytest.mark.parametrize("package", ["core", "engine", "adapters", "app", "web", "cli", "demo"])
def test_messages_and_help_use_plain_words(package: str) -> None:
    paths = [path for path in SPEAKING if path.is_relative_to(SOURCE / package)]
    bad = [(path.name, text, found(text)) for path in paths for text in sentences(path) if found(text)]
    assert bad == []


@pytest.mark.parametrize("folder", ["daemon", "bench", "migrations", "tests"])
def test_comments_use_plain_words(folder: str) -> None:
    paths = (ROOT / folder).rglob("*.py")
    assert [(str(path), text) for path in paths for text in notes(path) if found(text)] == []


def test_schema_of_the_configuration_uses_plain_words() -> None:
    texts = re.findall(r'"(?:[^"\\]|\\.)*"', json.dumps(json.loads((ROOT / "docs/config.schema.json").read_text())))
    assert [text for text in texts if found(text)] == []


@pytest.mark.parametrize(
    "text", ["You are told of it.", "Mend the target.", "It is in trouble.", "3 entries set aside"]
)
def test_replaced_words_are_found(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize("text", ["Troubleshooting", "besides the lists", "looks like", "an order", "put together"])
def test_ordinary_words_are_accepted(text: str) -> None:
    assert not found(text)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_tests_are_short_and_plain(path: Path) -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, functions)]
    tests = [name for name in names if name.startswith("test_")]
    assert [name for name in tests if len(name) > LONGEST_NAME or found(name.replace("_", " "))] == []


def anchors(path: Path) -> set[str]:
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> Iterator[tuple[Path, str]]:
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        name, _, anchor = target.partition("#")
        if "://" not in name:
            yield (path.parent / name if name else path).resolve(), anchor


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_page_exist(path: Path) -> None:
    missing = [
        f"{other}#{anchor}"
        for other, anchor in links(path)
        if not other.exists() or (anchor and anchor not in anchors(other))
    ]
    assert missing == []


def test_readers_find_every_page_from_the_readme() -> None:
    seen, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            left += [other for other, _ in links(page)]
    assert sorted(set(PAGES) - seen) == []
