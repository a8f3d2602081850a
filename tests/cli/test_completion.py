"""What a shell completes, asked as the scripts of bash and zsh ask."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.complete_params import write_params

ROOT = Path(__file__).parents[2]

LOSS = '''
@distillation_losses.register
class LogitDistance(DistillationLoss):
    """An extension's own: its file is read, and not run."""

    name: Literal["logit_distance"] = "logit_distance"
'''

# Answers several questions in one process; then which of the heavy modules are loaded.
ASK = """
import contextlib, io, json, os, sys
from kdtasks.cli.main import main
sys.argv = ["kdtasks"]
for question in json.loads(sys.stdin.read()):
    variables = dict(os.environ)
    os.environ.update(question)
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.suppress(SystemExit):
        main()
    for name in set(os.environ) - set(variables):
        del os.environ[name]
    print(json.dumps(output.getvalue()))
print(json.dumps(sorted({"tensorflow", "numpy", "dvc", "kdtasks.params"} & set(sys.modules))))
"""


def ask(*questions: dict[str, str]) -> list[str]:
    """What the command line prints for each; the last is what it has loaded meanwhile."""
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps(questions),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    *answers, heavy = map(json.loads, asked.stdout.splitlines())
    assert heavy == []
    return answers


def bash(*words: str) -> dict[str, str]:
    """As bash asks to complete the last of some words."""
    return {
        "_KDTASKS_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(["kdtasks", *words]),
        "COMP_CWORD": str(len(words)),
    }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a loss of its own, two bundles and a store in a folder."""
    write_params(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages:\n  export@int8:\n    cmd: python\n")
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions" / "distance.py").write_text(LOSS)
    for path in ("bundles/int8/manifest.json", "bundles/filters+int8/manifest.json"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    aliases = tmp_path / "store" / "models" / "digits" / "aliases"
    aliases.mkdir(parents=True)
    for alias in ("production", "staging"):
        (aliases / f"{alias}.json").touch()
    monkeypatch.setenv("KDTASKS_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_completed_from_the_files_of_the_project(project: Path):
    lines = [
        answer.split()
        for answer in ask(
            bash("sweep", "-S", "distill.loss", "=", ""),
            bash("sweep", "-S", "distill.loss", "=", "kd,lo"),
            bash("sweep", "-S", "distill.temp"),
            bash("recipe", "use", "mnist"),
            bash("run", "export"),
            bash("predict", "bundles/"),
            bash("promote", "digits", "1", "--alias", "p"),
            bash("pull", "digits@"),
            bash("publish", "--store", "s3://bucket", "--alias", ""),
            bash("sweep", "-S", "student.model", "=", "keras_applications/EfficientNetV2"),
        )
    ]
    assert lines[0] == ["channelwise_kd", "dist", "dkd", "kd", "logit_distance"]
    assert lines[1] == ["kd,logit_distance"]
    assert lines[2] == ["distill.temperature="]
    assert lines[3] == sorted(path.stem for path in (ROOT / "recipes").glob("mnist*"))
    assert lines[4] == ["export", "export@int8"]
    assert lines[5] == ["bundles/filters+int8", "bundles/int8"]
    assert lines[6] == ["production"]
    assert lines[7] == ["digits@production", "digits@staging"]
    assert lines[8] == []
    assert lines[9] == [f"keras_applications/EfficientNetV2B{number}" for number in range(4)]


def test_other_shells_complete_the_whole_word(project: Path):
    words = "kdtasks sweep -S distill.loss=log"
    question = {"_KDTASKS_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": words}
    assert '"distill.loss=logit_distance"' in ask(question)[0]


def test_outside_of_a_project_nothing_is_completed(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KDTASKS_STORE", raising=False)
    answers = ask(bash("recipe", "use", ""), bash("pull", ""), bash("run", ""))
    assert [answer.strip() for answer in answers] == [""] * 3


def test_the_script_for_a_shell_is_shown():
    shown = subprocess.run(
        [sys.executable, "-m", "kdtasks", "--show-completion", "bash"],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_KDTASKS_COMPLETE=complete_bash" in shown.stdout
