"""The layout that docs/architecture.md describes: files, sizes, exceptions, dependencies, tests that assert."""

import ast
import re
import sys
import tomllib
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "daemon"
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
MODULES = sorted((SOURCE / "gemwatch").rglob("*.py"))
LONGEST, MOST = 300, 24  # lines in a module, modules in a package


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path, names: set[str]) -> set[str]:
    """What a module imports when it is itself imported; imports within functions and for typing do not count."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= submodules & names or {node.module}
    return found & names


def test_architecture_names_only_files_that_exist() -> None:
    layout = ARCHITECTURE.split("## Layout")[1].split("##")[0]
    folder = Path()
    for line in layout.splitlines():
        if (package := re.match(r" {4,6}(\w[\w/]*/) ", line + " ")) and (ROOT / package[1]).exists():
            folder = ROOT / package[1]
        elif package := re.match(r" {6}(\w+/) ", line):
            folder = SOURCE / "gemwatch" / package[1]
        assert folder.is_dir(), line
        for name in re.findall(r"\b\w+\.py\b", line):
            assert (folder / name).is_file(), f"{folder.name}/{name}"
    for name in re.findall(r"(?<![\w.])(adapters/\w+/|core/\w+/)", ARCHITECTURE):
        assert (SOURCE / "gemwatch" / name).is_dir(), name


def test_class_names_have_one_meaning() -> None:
    """The same name again is the shape that another layer sees of the same thing: a protocol or its JSON."""
    shapes = {"engine/ports.py", "web/http/sessions.py", "client/answers.py"}
    places: dict[str, list[str]] = {}
    for path in MODULES:
        module = str(path.relative_to(SOURCE / "gemwatch"))
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and module not in shapes and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module)
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


def test_architecture_prints_the_exceptions_of_the_code() -> None:
    bases = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and re.search(
                r"(Error|Exception)$", ast.unparse(node.bases[0]) if node.bases else ""
            ):
                bases[node.name] = ast.unparse(node.bases[0])
    public = {name: base for name, base in bases.items() if not name.startswith("_")}
    assert [name for name in bases if not name.endswith("Error")] == []
    printed = re.findall(r"[├└]─ (\w+)", ARCHITECTURE)
    internal = {name for name, base in public.items() if name not in printed}
    assert sorted(set(printed) - set(public) - {"ValueError"}) == []
    for name in internal:  # not printed: caught next to where it is raised
        users = {path.parent for path in MODULES if re.search(rf"\b{name}\b", path.read_text())}
        assert len(users) == 1, f"{name} crosses packages: print it in docs/architecture.md"
    for below, name in re.findall(r"^    ([│ ]  )?[├└]─ (\w+)", ARCHITECTURE, re.MULTILINE):
        assert name == "ValueError" or (public[name] == "Exception") == (below == ""), name


def test_architecture_gives_a_reason_for_each_dependency() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    table = ARCHITECTURE.split("## Dependencies")[1]
    for requirement in dependencies:
        name = re.split(r"[<>=!\[]", requirement)[0]
        assert re.search(rf"^\|[^|]*\b{name}\b[^|]*\| [^|]+ \|$", table, re.MULTILINE), name


IMPORTED_AS = {"yaml": "pyyaml", "azure": "azure-identity", "pydantic_core": "pydantic"}  # pydantic pins its core


def test_every_imported_package_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    packages = {re.split(r"[<>=!\[]", requirement)[0].replace("-", "_") for requirement in declared}
    imported = set[str]()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    assert {name.replace("-", "_") for name in IMPORTED_AS.values()} <= packages
    known = {*sys.stdlib_module_names, "gemwatch", *packages, *IMPORTED_AS}
    assert sorted(imported - known) == []


def test_modules_are_short_or_say_why_not() -> None:
    for path in MODULES:
        text = path.read_text()
        if len(text.splitlines()) > LONGEST:
            assert "long" in (ast.get_docstring(ast.parse(text)) or ""), f"{path}: split it, or give the reason"


def test_packages_are_small() -> None:
    for package in {path.parent for path in MODULES}:
        assert len([path for path in MODULES if path.parent == package]) <= MOST, package


def test_imports_have_no_cycle() -> None:
    names = {name_of(path) for path in MODULES}
    graph = {name_of(path): imports_of(path, names) - {name_of(path)} for path in MODULES}
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) == names


def test_every_module_is_used() -> None:
    names = {name_of(path): path for path in MODULES}
    used = set[str]()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                used |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    unused = {name for name, path in names.items() if name not in used and path.name != "__init__.py"}
    assert unused == {
        "gemwatch.__main__",
        "gemwatch.demo.login",
    }  # programs; a command whose file is here but not in cli/commands.py would be


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
MOST_FILES = {"a job event": 3, "a service event": 3, "a configuration key": 2, "a command": 2}


def test_contributing_names_few_files_that_exist() -> None:
    table = CONTRIBUTING.split("## Files to touch")[1].split("## ")[0]
    rows = {row[0]: row[1] for row in re.findall(r"^\| (an? [\w ]+) \| (.+?) \| .+ \|$", table, re.MULTILINE)}
    assert MOST_FILES.keys() <= rows.keys()
    for what, files in rows.items():
        named = re.findall(r"`([\w/]+/(?:\w+\.\w+)?)`", files)
        assert len(named) <= MOST_FILES.get(what, 3), what
        for name in named:
            assert any((folder / name).exists() for folder in (ROOT, SOURCE / "gemwatch")), name


SHOWS = re.compile(
    r"^(assert_\w+|expect|until|wait_until|call_and_validate)$"
)  # calls that fail where a thing is not so


def asserts(test: ast.AST) -> bool:
    for node in ast.walk(test):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "raises" or SHOWS.match(name):
                return True
    return False


def test_every_test_asserts_something() -> None:
    silent = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not asserts(node)
    ]
    assert sorted(silent) == []
