"""The closure of a script is what it imports from the project, no less and no more."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.code import check_listing, closure, listing
from kdtasks.core.errors import ProjectError

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
        "core.installed",
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
        "extensions/deep/other.py": "",
        "kdtasks/c.py": "",
    }
    names = closure_of("import kdtasks.losses", REGISTRY | extensions)
    assert names == sorted([*LOSSES, *extensions])
    assert closure_of("import kdtasks.used_by_kd", {}) == ["kdtasks/used_by_kd.py"]


LOSS = """
from kdtasks.learn.losses.labels import LabelLoss, label_losses
@label_losses.register
class Loss(LabelLoss):
    name: Literal[{}] = {}
"""


@pytest.mark.parametrize("folder", ["kdtasks/learn/losses/labels", "extensions"])
def test_a_loss_counts_where_it_is_named_or_imported(tmp_path: Path, write: Write, folder: str):
    package = "kdtasks/learn/losses/labels/__init__.py"
    losses = {f"{folder}/{name}.py": LOSS.format(f'"{name}"', f'"{name}"') for name in ("a", "b")}
    unclear = {f"{folder}/c.py": LOSS.format("NAMES", "NAMES"), f"{folder}/helper.py": ""}
    init = {package: 'label_losses = Registry("label loss", __name__, LabelLoss)'}
    script = "import kdtasks.learn.losses.labels"
    write({"stages/distill.py": script, **losses, **unclear, **init})

    def names(named: set[str] | None) -> set[str]:
        found = closure(tmp_path / "stages/distill.py", tmp_path, named)
        return {path.relative_to(tmp_path).as_posix() for path in found} - {"stages/distill.py"}

    assert names(None) == {*losses, *unclear, *init}
    assert names({"b", "adam"}) == {f"{folder}/b.py", *unclear, *init}
    assert names(set()) == {*unclear, *init}
    write({"kdtasks/learn/losses/labels/a.py": losses.get(f"{folder}/a.py", "")})
    write({"stages/distill.py": f"{script}.a"})
    assert "kdtasks/learn/losses/labels/a.py" in names(set())


def test_what_is_no_python_counts_with_the_modules_beside_it(closure_of: Callable[..., list[str]]):
    files = {"kdtasks/a/one.py": "", "kdtasks/a/page.html": "", "kdtasks/b/page.html": ""}
    assert closure_of("import kdtasks.a.one", files) == ["kdtasks/a/one.py", "kdtasks/a/page.html"]


def test_what_an_upgrade_left_beside_a_stage_is_no_part_of_any(
    closure_of: Callable[..., list[str]],
):
    assert closure_of("x = 1", {"stages/other.py.new": ""}) == []


def test_a_file_that_cannot_be_read_is_named(closure_of: Callable[..., list[str]]):
    with pytest.raises(SyntaxError) as caught:
        closure_of("import kdtasks.c", {"kdtasks/c.py": "if"})
    assert str(caught.value.filename).endswith("kdtasks/c.py")


class TestListing:
    @pytest.fixture
    def listed(self, tmp_path: Path, write: Write) -> Path:
        write({"stages/distill.py": "import kdtasks.c", "kdtasks/c.py": "x = 1"})
        text = listing(tmp_path / "stages/distill.py", tmp_path)
        write({"listed.txt": text})
        return tmp_path / "listed.txt"

    def test_it_is_what_sha256sum_reads(self, listed: Path, tmp_path: Path):
        assert [line[64:] for line in listed.read_text().splitlines()] == [
            "  kdtasks/c.py",
            "  stages/distill.py",
        ]
        assert hashlib.sha256(b"x = 1").hexdigest() in listed.read_text()
        check_listing(listed, tmp_path)

    @pytest.mark.parametrize("name", ["kdtasks/c.py", "stages/distill.py"])
    @pytest.mark.parametrize("content", ["x = 2", None])
    def test_a_file_that_has_changed_since_is_named(
        self, listed: Path, tmp_path: Path, name: str, content: str | None
    ):
        (tmp_path / name).unlink()
        if content:
            (tmp_path / name).write_text(content)
        with pytest.raises(ProjectError, match=f"^{name} has changed since .*start the run again"):
            check_listing(listed, tmp_path)


@pytest.mark.parametrize(
    "script", sorted((ROOT / "stages").glob("[a-z]*.py")), ids=lambda p: p.stem
)
def test_stages_of_this_project(script: Path):
    names = [path.relative_to(ROOT).as_posix() for path in closure(script, ROOT)]
    assert f"stages/{script.name}" in names
    assert len(names) >= 3
    assert not any(name.startswith("kdtasks/params/") for name in names)
    assert "kdtasks/__init__.py" not in names


class TestAProjectOfOnesOwn:
    """It holds no package: the installed one counts, named as in a clone."""

    @pytest.fixture
    def own(self, tmp_path: Path) -> Path:
        for name in ("stages", "extensions"):
            shutil.copytree(ROOT / name, tmp_path / name)
        return tmp_path

    def test_its_stages_run_what_those_of_a_clone_run(self, own: Path):
        text = listing(own / "stages/labels.py", own)
        assert text == listing(ROOT / "stages/labels.py", ROOT)
        assert "  kdtasks/data/labels.py\n" in text

    def test_an_environment_inside_of_it_is_no_part_of_it(
        self, own: Path, monkeypatch: pytest.MonkeyPatch
    ):
        home = own / ".venv" / "site-packages"
        shutil.copytree(ROOT / "kdtasks", home / "kdtasks")
        monkeypatch.setattr("kdtasks.core.code._INSTALLED", home)
        script = own / "stages/labels.py"
        assert home / "kdtasks/data/labels.py" in closure(script, own)
        assert listing(script, own) == listing(ROOT / "stages/labels.py", ROOT)

    def test_installed_files_are_held_to_the_list(self, own: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("kdtasks.core.code._INSTALLED", own / "home")
        shutil.copytree(ROOT / "kdtasks", own / "home" / "kdtasks")
        (own / "listed.txt").write_text(listing(own / "stages/labels.py", own), encoding="utf-8")
        check_listing(own / "listed.txt", own)
        (own / "home/kdtasks/data/labels.py").unlink()
        with pytest.raises(ProjectError, match=r"^kdtasks/data/labels\.py has changed"):
            check_listing(own / "listed.txt", own)
