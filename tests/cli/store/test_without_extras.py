"""What a device pulls with nothing installed but what it needs, and what it says it lacks."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.edge.bundle_files import read_manifest

Run = Callable[..., tuple[int, str, str]]


Bundle = Callable[..., Path]


MISSING_ON_A_DEVICE = (
    *("tensorflow", "tf_keras", "keras", "dvc", "prefect", "ruamel", "ruamel.yaml"),
    *("boto3", "botocore", "cryptography", "scipy", "matplotlib", "PIL", "git", "pygit2"),
)


def on_a_device(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line with what `pip install kdtasks` without extras brings."""
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({MISSING_ON_A_DEVICE!r}))\n"
        f"sys.argv = ['kdtasks', *{words!r}]\n"
        "from kdtasks.cli.main import main\n"
        "main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_device_pulls_from_a_folder_with_nothing_installed(
    kdtasks: Run, bundle: Bundle, tmp_path: Path
):
    kdtasks("publish", bundle(), "--alias", "production")
    done = on_a_device(["pull", "digits@production", "--to", "device"], tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'device'}\n")
    assert read_manifest(tmp_path / "device").name == "digits"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pull", "a", "--store", "s3://bucket"], "needs b.*; pip install 'kdtasks"),
        (["pull", "a", "--public-key", "-----BEGIN PUBLIC KEY-----"], "need crypto"),
    ],
)
def test_a_device_says_what_it_lacks(tmp_path: Path, words: list[str], message: str):
    done = on_a_device(words, tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(message, done.stderr), done.stderr


def test_the_library_pulls_without_typer_and_what_it_brings(bundle: Bundle, tmp_path: Path):
    missing = (*MISSING_ON_A_DEVICE, "typer", "rich", "pydantic")
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({missing!r}))\n"
        "from pathlib import Path\n"
        "from kdtasks.deploy.store.address import parse_address\n"
        "from kdtasks.deploy.store.cache import Cache\n"
        "from kdtasks.deploy.store.address import parse_reference\n"
        "from kdtasks.deploy.store import open_objects\n"
        "from kdtasks.deploy.store.publish import publish\n"
        "from kdtasks.deploy.store.pull import Puller\n"
        "objects = open_objects(parse_address('store'))\n"
        "publish(objects, Path('bundle'), name='digits')\n"
        "puller = Puller(objects=objects, cache=Cache(Path('cache')))\n"
        "print(puller.pull(parse_reference('digits')).downloaded)\n"
    )
    bundle()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 1000


def test_the_commands_import_nothing_heavy_to_show_their_help(tmp_path: Path):
    for command in ("publish", "pull", "models", "promote", "rollback", "gc", "keys"):
        done = on_a_device([command, "--help"], tmp_path)
        assert done.returncode == 0
        assert command in done.stdout
