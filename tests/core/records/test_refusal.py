from kdtasks.core.files import write_json
from kdtasks.core.records import refusal


def test_only_the_reason_is_handed_down(tmp_path):
    path = tmp_path / "int8.json"
    write_json(path, {"variant": "int8", "refused": "no operator for it"})
    assert refusal(path) == {"refused": "no operator for it"}
    write_json(path, {"variant": "int8", "macs": [1]})
    assert refusal(path) is None
