"""Reading and writing that all records share, refusals included."""

import math
import tempfile
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.dataclasses import dataclass

from kdtasks.core.errors import KdTasksError, Refused
from kdtasks.core.files import write_json
from kdtasks.core.records import Record, Refusal, check_not_refused
from kdtasks.core.records.benchmark import Benchmark
from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Compressed, Exported, Sensitivity
from kdtasks.core.records.data import Dataset, Labels, Targets, TeacherImages, Unlabelled
from kdtasks.core.records.evaluate import Comparison, Evaluation
from kdtasks.core.records.findings import Findings
from kdtasks.core.records.label_errors import LabelErrors
from kdtasks.core.records.prospect import Prospect
from kdtasks.core.records.report import Selection, Statistics, Summary
from kdtasks.core.records.slices import SliceRows
from kdtasks.core.records.training import Training

REASON = "no filter can be removed; leave out filters"
KINDS = [
    Benchmark, Calibration, Comparison, Compressed, Dataset, Evaluation, Exported, Findings,
    LabelErrors, Labels, Prospect, Refusal, Selection, Sensitivity, SliceRows, Statistics, Targets,
    TeacherImages, Training, Unlabelled,
]  # fmt: skip
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(max_size=5),
    type(None): st.none(),
    Any: st.one_of(st.booleans(), st.integers(), st.text(max_size=5)),
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """All that a field may hold."""
    if annotation in SCALARS:
        return SCALARS[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, types.UnionType):
        return st.one_of([values(one) for one in inner])
    if origin is dict:
        return st.dictionaries(values(inner[0]), values(inner[1]), max_size=2)
    if origin is tuple and inner[-1:] == (...,):
        return st.lists(values(inner[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, inner))
    return instances(annotation)


def instances(kind: Any) -> st.SearchStrategy[Any]:
    """All records of a kind; what need not be there is left out at times."""
    is_known = hasattr(kind, "__pydantic_fields__")  # models, and dataclasses of pydantic
    fields = (kind if is_known else dataclass(frozen=True)(kind)).__pydantic_fields__
    required = {name: values(of.annotation) for name, of in fields.items() if of.is_required()}
    optional = {name: values(of.annotation) for name, of in fields.items() if not of.is_required()}
    return st.fixed_dictionaries(required, optional=optional).map(lambda found: kind(**found))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(data=st.data())
def test_a_file_is_the_same_after_reading_and_writing(kind: type[Record], data: st.DataObject):
    record = data.draw(instances(kind))
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.json", Path(folder) / "second.json"
        record.write(first)
        found = kind.read_or_refusal(first)
        found.write(second)
        assert found == record
        assert second.read_bytes() == first.read_bytes()


def test_every_kind_of_record_is_tried():
    assert {kind.__name__ for kind in KINDS} | {"Summary"} == {
        kind.__name__
        for kind in Record.__subclasses__()
        if kind.__module__.startswith("kdtasks.core.")
    }
    assert Summary in Record.__subclasses__()


def test_the_text_is_sorted_indented_and_ends_with_a_line_break(tmp_path: Path):
    Exported(gzip_bytes=18248, bytes=21776).write(tmp_path / "int8.json")
    text = (tmp_path / "int8.json").read_text(encoding="utf-8")
    assert text == '{\n  "bytes": 21776,\n  "gzip_bytes": 18248\n}\n'


def test_numbers_keep_their_kind(tmp_path: Path):
    path = tmp_path / "sensitivity.json"
    path.write_text('{"rows": 5, "accuracy": 1.0, "layers": {"a": {"filters": 8, "0.5": 1.0}}}')
    found = Sensitivity.read(path)
    assert repr(found.layers["a"]) == "{'filters': 8, '0.5': 1.0}"
    assert repr(found.rows) == "5"
    assert repr(found.accuracy) == "1.0"


@pytest.mark.parametrize(("number", "message"), [
    ("5.0", "rows: Input should be a valid integer"),
    ("true", "rows: Input should be a valid integer"),
    ("null", "rows: Input should be a valid integer"),
])  # fmt: skip
def test_no_number_is_converted(tmp_path: Path, number: str, message: str):
    path = tmp_path / "sensitivity.json"
    path.write_text(f'{{"rows": {number}, "accuracy": 1.0, "layers": {{}}}}')
    with pytest.raises(KdTasksError, match=message):
        Sensitivity.read(path)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_no_record(number: float):
    with pytest.raises(ValidationError, match="should be a finite number"):
        Sensitivity(rows=1, accuracy=number, layers={})


def test_numbers_of_numpy_become_plain(tmp_path: Path):
    record = Sensitivity(rows=1, accuracy=np.float64(0.1), layers={})
    assert type(record.accuracy) is float


def test_a_list_is_no_tuple():
    with pytest.raises(ValidationError, match="should be a valid tuple"):
        Targets(mode="online", images=1, features=[])  # type: ignore[arg-type]


def test_a_record_cannot_be_changed():
    record = Exported(bytes=1, gzip_bytes=1)
    with pytest.raises(ValidationError, match="frozen"):
        record.bytes = 2


def test_a_refused_record_raises_the_reason(tmp_path: Path):
    path = tmp_path / "int8.json"
    Refusal(refused=REASON).write(path)
    assert path.read_text(encoding="utf-8") == f'{{\n  "refused": "{REASON}"\n}}\n'
    with pytest.raises(Refused, match=f"^{REASON}$"):
        Exported.read(path)
    assert Exported.read_or_refusal(path) == Refusal(refused=REASON)


def test_a_record_is_no_refusal(tmp_path: Path):
    path, record = tmp_path / "int8.json", Exported(bytes=1, gzip_bytes=1)
    record.write(path)
    assert Exported.read_or_refusal(path) == record


def test_a_file_that_is_no_record_is_looked_at_for_a_refusal(tmp_path: Path):
    path = tmp_path / "manifest.json"
    write_json(path, {"name": "digits"})
    check_not_refused(path)
    Refusal(refused=REASON).write(path)
    with pytest.raises(Refused, match=REASON):
        check_not_refused(path)


def test_a_missing_file_is_said_to_be(tmp_path: Path):
    message = r"int8\.json not found; run `dvc repro` to write it"
    with pytest.raises(KdTasksError, match=message):
        Exported.read(tmp_path / "int8.json")
    with pytest.raises(KdTasksError, match=message):
        check_not_refused(tmp_path / "int8.json")


@pytest.mark.parametrize(("text", "message"), [
    ('{"bytes": 1}', "gzip_bytes: Field required"),
    ('{"bytes": 1, "gzip_bytes": 1, "size": 1}', "size: Extra inputs are not permitted"),
    ('{"bytes": 1, "gzip_bytes": 1, "refused": "no"}', "refused: Extra inputs are not permitted"),
    ("[]", "describes: Input should be an object"),
    ('{"bytes": ', "describes: Invalid JSON"),
    ("", "describes: Invalid JSON"),
])  # fmt: skip
def test_what_is_no_record_is_said_to_be(tmp_path: Path, text: str, message: str):
    path = tmp_path / "int8.json"
    path.write_text(text)
    with pytest.raises(KdTasksError, match=rf"int8\.json is not what Exported .*{message}.*repro"):
        Exported.read(path)


def test_nested_keys_are_named_in_full(tmp_path: Path):
    path = tmp_path / "0.json"
    write_json(path, {"validation": {"accuracy": [0.5, "high"]}})
    with pytest.raises(KdTasksError, match=r"validation\.accuracy\.1: Input should be a valid num"):
        Training.read(path)
