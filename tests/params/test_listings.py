"""Only stages whose params name a loss depend on its code."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.params import load_params
from kdtasks.params.listings import listings

ROOT = Path(__file__).parents[2]
PARAMS = load_params(ROOT / "params.yaml").model_dump()
LOSS = """
from kdtasks.learn.losses.distillation import DistillationLoss, distillation_losses


@distillation_losses.register
class Mine(DistillationLoss):
    name: Literal["mine"] = "mine"
"""


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., set[str]]:
    """Names of the stages whose code has a file, by the loss that distillation uses."""
    root = tmp_path_factory.mktemp("project")
    for name in ("stages", "extensions"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "dvc.yaml", root)
    (root / "extensions/mine.py").write_text(LOSS, encoding="utf-8")

    def find(file: str, loss: str) -> set[str]:
        found = listings(root, {**PARAMS, "distill": {**PARAMS["distill"], "loss": {"name": loss}}})
        return {stage for stage, text in found.items() if f"  {file}\n" in text}

    return find


STUDENTS = {"prospect", "distill", "arm", "compress"}


@pytest.mark.parametrize(
    ("file", "loss"),
    [("kdtasks/learn/losses/distillation/dkd.py", "dkd"), ("extensions/mine.py", "mine")],
)
def test_a_loss_concerns_the_stages_whose_params_name_it(
    listed: Callable[..., set[str]], file: str, loss: str
):
    assert listed(file, "kd") == set()
    assert listed(file, loss) == STUDENTS


def test_every_stage_has_a_list(listed: Callable[..., set[str]]):
    assert listed("stages/code.py", "kd") == {"code"}
