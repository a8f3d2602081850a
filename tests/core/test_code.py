"""The closure of a script is what it imports from the project, no less and no more."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.code import Code, closure, fingerprint

ROOT = Path(__file__).parents[2]
Write = Callable[[dict[str, str]], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_files(files: dict[str, str]) -> None:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content, encoding="utf-8")

    return write_files


@pytest.fixture
def closure_of(tmp_path: Path, write: Write) -> Callable[..., list[str]]:
    """Names of the files that a script with some content depends on, itself left out."""

    def find(script: str, files: dict[str, str]) -> list[str]:
        write({"stages/distill.py": script, **files})
        found = closure(tmp_path / "stages/distill.py", tmp_path)
        names = [path.relative_to(tmp_path).as_posix() for path in found]
        assert names == sorted(names)
        names.remove("stages/distill.py")
        return names

    return find


FILES = {
    "kdtasks/__init__.py": '"""Package."""\n__version__ = "1"',
    "kdtasks/a/__init__.py": '"""Only a docstring."""',
    "kdtasks/a/one.py": "",
    "kdtasks/a/two.py": "x = 1",
    "kdtasks/b/__init__.py": "from kdtasks.a.one import x",
    "kdtasks/b/one.py": "",
    "kdtasks/c.py": "",
}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        ("import kdtasks", []),
        ("import kdtasks.c", ["kdtasks/c.py"]),
        ("import kdtasks.a.one as one", ["kdtasks/a/one.py"]),
        ("import numpy, kdtasks.c", ["kdtasks/c.py"]),
        ("from kdtasks import c", ["kdtasks/c.py"]),
        ("from kdtasks.c import name", ["kdtasks/c.py"]),
        ("from kdtasks.a import one, two", ["kdtasks/a/one.py", "kdtasks/a/two.py"]),
        ("from kdtasks.a.two import *", ["kdtasks/a/two.py"]),
        ("from kdtasks.a import nothing", []),
        ("def f():\n from kdtasks.c import x", ["kdtasks/c.py"]),
        ("try:\n import kdtasks.c\nexcept ImportError: pass", ["kdtasks/c.py"]),
        # code in the packages above a module runs first
        (
            "from kdtasks.b.one import x",
            ["kdtasks/a/one.py", "kdtasks/b/__init__.py", "kdtasks/b/one.py"],
        ),
        ("from kdtasks.b import name", ["kdtasks/a/one.py", "kdtasks/b/__init__.py"]),
        # what only type checkers see
        ("if TYPE_CHECKING:\n import kdtasks.c", []),
        ("if typing.TYPE_CHECKING:\n import kdtasks.c", []),
        ("def f():\n if TYPE_CHECKING:\n  import kdtasks.c", []),
        (
            "if TYPE_CHECKING:\n import kdtasks.c\nelse:\n import kdtasks.a.one",
            ["kdtasks/a/one.py"],
        ),
        ("if not TYPE_CHECKING:\n import kdtasks.c", ["kdtasks/c.py"]),
        ("if SLOW:\n import kdtasks.c", ["kdtasks/c.py"]),
        # other code of the same names
        ("import kdtasksx.c, c", []),
    ],
)
def test_imports_of_a_script(closure_of: Callable[..., list[str]], script: str, expected: list):
    assert closure_of(script, FILES) == expected


def test_imports_are_followed_and_may_be_in_a_circle(closure_of: Callable[..., list[str]]):
    files = {
        "kdtasks/one.py": "import kdtasks.two",
        "kdtasks/two.py": "def f():\n  from kdtasks.one import f",
        "stages/shared.py": "import kdtasks.one",
    }
    names = closure_of("from stages.shared import main", files)
    assert names == ["kdtasks/one.py", "kdtasks/two.py", "stages/shared.py"]


def test_relative_imports(closure_of: Callable[..., list[str]]):
    files = {
        "kdtasks/a/__init__.py": "from . import one",
        "kdtasks/a/one.py": "from .two import x\nfrom ..c import y\nfrom .. import b",
        "kdtasks/a/two.py": "",
        "kdtasks/b.py": "",
        "kdtasks/c.py": "",
    }
    assert closure_of("import kdtasks.a", files) == sorted(files)


@pytest.mark.parametrize(
    "name",
    [
        "core.code",
        "core.errors",
        "core.events",
        "core.locks",
        "core.registry",
        "core.settings",
        "core.text",
        "params",
        "params.load",
        "stage",
    ],
)
def test_what_shapes_no_output_is_neither_listed_nor_followed(
    closure_of: Callable[..., list[str]], name: str
):
    path = name.replace(".", "/")
    file = f"kdtasks/{path}/__init__.py" if name == "params" else f"kdtasks/{path}.py"
    files = {file: "import kdtasks.c", "kdtasks/c.py": ""}
    assert closure_of(f"import kdtasks.{name}", files) == []


REGISTRY = {
    "kdtasks/losses/__init__.py": 'losses = Registry("loss", __name__, Loss)',
    "kdtasks/losses/kd.py": "import kdtasks.used_by_kd",
    "kdtasks/losses/dkd.py": "",
    "kdtasks/losses/notes.txt": "",
    "kdtasks/losses/inner/other.py": "",
    "kdtasks/used_by_kd.py": "",
}
LOSSES = [
    "kdtasks/losses/__init__.py",
    "kdtasks/losses/dkd.py",
    "kdtasks/losses/kd.py",
    "kdtasks/used_by_kd.py",
]


@pytest.mark.parametrize(
    "script",
    ["from kdtasks.losses import losses", "import kdtasks.losses", "import kdtasks.losses.dkd"],
)
@pytest.mark.parametrize("call", ["Registry", "Registry[Loss]", "registry.Registry"])
def test_the_folder_of_a_registry_counts_whole(
    closure_of: Callable[..., list[str]], script: str, call: str
):
    init = REGISTRY["kdtasks/losses/__init__.py"].replace("Registry", call)
    assert closure_of(script, REGISTRY | {"kdtasks/losses/__init__.py": init}) == LOSSES


def test_extensions_belong_to_every_registry(
    closure_of: Callable[..., list[str]], tmp_path: Path, write: Write
):
    extensions = {
        "extensions/__init__.py": '"""Nothing yet."""',
        "extensions/mine.py": "import kdtasks.c",
        "kdtasks/c.py": "",
    }
    names = closure_of("import kdtasks.losses", REGISTRY | extensions)
    assert names == sorted([*LOSSES, *extensions])
    assert closure_of("import kdtasks.used_by_kd", {}) == ["kdtasks/used_by_kd.py"]


def test_a_file_that_is_no_python_is_named(closure_of: Callable[..., list[str]]):
    with pytest.raises(SyntaxError) as caught:
        closure_of("import kdtasks.c", {"kdtasks/c.py": "if"})
    assert str(caught.value.filename).endswith("kdtasks/c.py")


class TestCollapse:
    FILES = ("kdtasks/a/one.py", "kdtasks/a/deep/two.py", "kdtasks/b.py", "kdtasks/__init__.py")

    @pytest.fixture(autouse=True)
    def files(self, write: Write) -> None:
        write(dict.fromkeys(self.FILES, "x = 1"))
        write({"kdtasks/a/__init__.py": '"""Plain."""', "kdtasks/a/page.html": ""})
        write({f"kdtasks/c/{number}.py": "x = 1" for number in (1, 2, 3, 4)})
        write({f"kdtasks/core/{name}.py": "x = 1" for name in ("1", "2", "3", "errors")})

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            ([], []),
            (["kdtasks/b.py"], ["kdtasks/b.py"]),
            (["kdtasks/a/one.py"], ["kdtasks/a/one.py"]),
            (["kdtasks/a/deep/two.py"], ["kdtasks/a/deep"]),
            (["kdtasks/a/one.py", "kdtasks/a/deep/two.py"], ["kdtasks/a"]),
            (["kdtasks/a/one.py", "kdtasks/b.py"], ["kdtasks/a/one.py", "kdtasks/b.py"]),
            (list(FILES), ["kdtasks/__init__.py", "kdtasks/a", "kdtasks/b.py"]),
            (["kdtasks/c/1.py", "kdtasks/c/2.py"], ["kdtasks/c/1.py", "kdtasks/c/2.py"]),
            (["kdtasks/c/1.py", "kdtasks/c/2.py", "kdtasks/c/3.py"], ["kdtasks/c"]),
            ([f"kdtasks/core/{n}.py" for n in "123"], [f"kdtasks/core/{n}.py" for n in "123"]),
        ],
    )
    def test_a_folder_stands_for_most_of_its_code_if_all_of_it_has_influence(
        self, tmp_path: Path, names: list[str], expected: list[str]
    ):
        assert Code(tmp_path).collapse([tmp_path / name for name in names]) == expected

    def test_an_init_with_code_is_code(self, tmp_path: Path, write: Write):
        write({"kdtasks/a/deep/__init__.py": "x = 1"})
        assert Code(tmp_path).collapse([tmp_path / "kdtasks/a/deep/two.py"]) == [
            "kdtasks/a/deep/two.py"
        ]

    def test_the_root_stands_for_nothing(self, tmp_path: Path, write: Write):
        write({"new/setup.py": ""})
        assert Code(tmp_path / "new").collapse([tmp_path / "new/setup.py"]) == ["setup.py"]


class TestFingerprint:
    @pytest.fixture
    def paths(self, tmp_path: Path, write: Write) -> list[Path]:
        write({"a/one.py": "1", "a/two.py": "2"})
        return [tmp_path / "a/one.py", tmp_path / "a/two.py"]

    def test_order_and_place_of_the_project_are_no_matter(
        self, tmp_path: Path, paths: list[Path], write: Write
    ):
        first = fingerprint(paths, tmp_path)
        assert fingerprint(reversed(paths), tmp_path) == first
        write({"copy/a/one.py": "1", "copy/a/two.py": "2"})
        copies = [tmp_path / "copy" / path.relative_to(tmp_path) for path in paths]
        assert fingerprint(copies, tmp_path / "copy") == first

    @pytest.mark.parametrize(
        "files",
        [
            {"a/one.py": "1", "a/two.py": "3"},
            {"a/one.py": "2", "a/two.py": "1"},
            {"a/one.py": "1", "a/three.py": "2"},
            {"a/one.py": "1"},
            {"a/one.py": "", "a/two.py": "12"},
        ],
    )
    def test_another_name_or_content_is_another(
        self, tmp_path: Path, paths: list[Path], write: Write, files: dict[str, str]
    ):
        first = fingerprint(paths, tmp_path)
        write(files)
        assert fingerprint([tmp_path / name for name in files], tmp_path) != first


@pytest.mark.parametrize(
    "script", sorted((ROOT / "stages").glob("[a-z]*.py")), ids=lambda p: p.stem
)
def test_stages_of_this_project(script: Path):
    names = [path.relative_to(ROOT).as_posix() for path in closure(script, ROOT)]
    assert f"stages/{script.name}" in names
    assert len(names) > 3
    assert not any(name.startswith("kdtasks/params/") for name in names)
    assert "kdtasks/__init__.py" not in names


class TestAProjectOfOnesOwn:
    """It holds no package: the installed one counts, named as in a clone."""

    @pytest.fixture
    def own(self, tmp_path: Path) -> Path:
        shutil.copytree(ROOT / "stages", tmp_path / "stages")
        shutil.copytree(ROOT / "extensions", tmp_path / "extensions")
        return tmp_path

    def test_its_stages_run_what_those_of_a_clone_run(self, own: Path):
        found = closure(own / "stages/labels.py", own)
        there = closure(ROOT / "stages/labels.py", ROOT)
        assert fingerprint(found, own) == fingerprint(there, ROOT)
        assert Code(own).collapse(found) == Code(ROOT).collapse(there)

    def test_an_environment_inside_of_it_is_no_part_of_it(
        self, own: Path, monkeypatch: pytest.MonkeyPatch
    ):
        home = own / ".venv" / "site-packages"
        shutil.copytree(ROOT / "kdtasks", home / "kdtasks")
        monkeypatch.setattr("kdtasks.core.code._INSTALLED", home)
        found = closure(own / "stages/labels.py", own)
        assert home / "kdtasks/data/labels.py" in found
        names = Code(own).collapse(found)
        assert names == Code(ROOT).collapse(closure(ROOT / "stages/labels.py", ROOT))
