"""The students that are described: each network once, with the reason where one cannot be."""

from typing import Any

import pytest

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.students.space import check_space, list_students
from kdtasks.params import Params
from tests.orchestrate.students.conftest import with_space
from tests.tools.tuning import tiny_params


def of(model: dict[str, object], **space: Any) -> Params:
    content = tiny_params().model_dump(mode="json")
    content["student"]["model"] = model
    return with_space(Params.model_validate(content), **space)


def test_the_projects_own_comes_first_and_its_class_says_what_width_and_depth_are():
    params = of({"name": "resnet", "filters": [8, 16], "strides": [1, 2]}, depths=[-1, 0, 1])
    students, refused = list_students(params)
    assert not refused
    assert len(students) == 10  # a stage keeps a block, so −1 is as 0
    own, wide = students["width 1, depth 0"], students["width 1.5, depth +1"]
    assert next(iter(students.values())) is own
    assert own.params.student == params.student
    assert own.settings == {"student.model": params.student.model.model_dump(mode="json")}
    model = wide.params.student.model.model_dump()
    assert (model["stem"], model["filters"]) == (24, (12, 12, 24, 24))
    assert model["strides"] == (1, 1, 2, 1)


def test_resolutions_are_settings_of_the_data():
    params = of({"name": "cnn", "filters": [4]}, widths=[1.0], depths=[0], image_sizes=[[6, 6]])
    ((label, student),) = list_students(params)[0].items()
    assert label == "width 1, depth 0, 6×6"
    assert student.image_size == (6, 6)
    assert student.settings["data.image_size"] == [6, 6]


def test_what_a_network_cannot_be_is_left_out_with_the_reason():
    students, refused = list_students(of({"name": "alexnet"}, widths=[0.5], depths=[0, 1]))
    assert list(students) == ["width 0.5, depth 0"]
    assert refused["depth +1"].startswith("alexnet has one depth")
    with pytest.raises(SweepError, match=r"describes no student: alexnet has one depth"):
        list_students(of({"name": "alexnet"}, depths=[1]))


def test_weights_of_the_present_student_fit_no_other(tmp_path):
    params = of({"name": "cnn", "filters": [4]})
    start = tmp_path / params.student.start
    start.mkdir(parents=True)
    check_space(params, tmp_path)
    (start / str(params.seeds[0])).mkdir()
    with pytest.raises(SweepError, match=r"student\.start holds weights of the present student"):
        check_space(params, tmp_path)
