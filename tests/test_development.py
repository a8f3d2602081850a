"""Every example of docs/development.md, put into a scratch project's `extensions/`, works there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.warm_scripts import RunWarm

TEXT = (Path(__file__).parents[1] / "docs" / "development.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)

# Kind to what uses the example in a process of the scratch project, and what is printed then.
USES = {
    "label_losses": (
        """
from kdtasks.learn.objectives.objective import LabelLossParams, LabelLossSum

params = LabelLossParams.model_validate({"terms": [{"name": "squared_error", "weight": 0.5}]})
loss = LabelLossSum(terms=params.terms)(np.zeros((3, 2), np.float32), np.array([0, 1, 0]))
print(float(loss))
""",
        "0.25",
    ),
    "distillation_losses": (
        """
from kdtasks.learn.objectives.distillation import DistillParams

loss = DistillParams.model_validate({"loss": {"name": "logit_distance", "scale": 2.0}}).loss
print(float(loss(np.array([[1.0, 2.0]]), np.array([[1.0, 5.0]]), 1.0, None)))
""",
        "9.0",
    ),
    "schedules": (
        """
from kdtasks.learn.objectives.distillation import DistillParams

jump = {"name": "jump", "start": 0.25, "end": 0.5, "epoch": 3}
alpha = DistillParams.model_validate({"alpha": jump}).alpha
print(*(alpha.value(epoch, 9, []) for epoch in (1, 2, 3, 9)))
""",
        "0.25 0.25 0.5 0.5",
    ),
    "architectures": (
        """
from kdtasks.learn.networks.build import build
from kdtasks.learn.training.settings import StudentParams

student = StudentParams.model_validate({"model": {"name": "perceptron", "units": 3}})
print(build(student.model, input_shape=(2, 2, 1), num_classes=5).macs())
""",
        "[27]",
    ),
    "augmentations": (
        """
from kdtasks.learn.training.views import AugmentationParams, draw_view

images = np.full((50, 2, 2, 1), 240, np.uint8)
transforms = {"transforms": [{"name": "darkening", "most": 3}]}
params = AugmentationParams.model_validate(transforms)
view, _ = draw_view(images, np.arange(50), view=1, augmentation=params)
print(*sorted(set(view.ravel().tolist())))
""",
        "80 120 240",
    ),
    "passes": (
        """
from kdtasks.compress.variants import CompressParams, check_variant

params = CompressParams.model_validate({"variants": ["ternary+float32"]})
print(params.passes.ternary.size, check_variant("magnitude+ternary+int8").passes)
""",
        "1.0 ('magnitude', 'ternary')",
    ),
    "number_formats": (
        """
from kdtasks.compress.variants import check_variant

print(check_variant("filters+int8_inside").number_format)
""",
        "int8_inside",
    ),
    "sources": (
        """
from kdtasks.data.settings import DataParams

Path("labels.csv").write_text("path,class,burst\\na.png,night,1\\nb.png,day,1\\n")
split = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}
params = DataParams.model_validate({"source": "diary", "path": ".", "split": split})
print(params.task, *(f"{one.name}:{one.label}" for one in params.source.items(Path())))
""",
        "classification a.png:1 b.png:0",
    ),
    "teacher_formats": (
        """
from kdtasks.learn.teachers.network import open_network

np.save("weights.npy", np.ones((784, 3), np.float32))
print(open_network(Path("weights.npy")).run(np.ones((1, 28, 28, 1), np.float32))[0].tolist())
""",
        "[[784.0, 784.0, 784.0]]",
    ),
}


def registry_of(example: str) -> str:
    found = re.search(r"^@(\w+)\.register$", example, flags=re.MULTILINE)
    assert found
    return found[1]


def test_there_is_one_example_of_each_kind():
    assert [registry_of(example) for example in EXAMPLES] == list(USES)


@pytest.mark.parametrize("example", EXAMPLES, ids=registry_of)
def test_an_example_works_in_a_project(example: str, tmp_path: Path, run_warm: RunWarm):
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions" / "own.py").write_text(example, encoding="utf-8")
    use, expected = USES[registry_of(example)]
    # A process of its own: registries are read once.
    done = run_warm(tmp_path, f"from pathlib import Path\nimport numpy as np\n{use}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == expected


def test_all_examples_stand_side_by_side(tmp_path: Path):
    (tmp_path / "extensions").mkdir()
    for example in EXAMPLES:
        path = tmp_path / "extensions" / f"{registry_of(example)}.py"
        path.write_text(example, encoding="utf-8")
    code = "from kdtasks.params.docs import render_reference\nprint(render_reference())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^    name: .* = \"(\w+)\"$", TEXT, flags=re.MULTILINE)
    assert len(names) == len(EXAMPLES)
    shown = set(names) - {"linear"}  # a teacher's format has no params
    assert {name for name in shown if f"`{name}`" not in done.stdout} == set()
