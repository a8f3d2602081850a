"""Which seed starts from which saved network, and what cannot be a folder of them."""

import re
from pathlib import Path

import pytest

from kdtasks.core.errors import ParamsError
from kdtasks.learn.networks.saved import initial_weights_of


def test_an_empty_folder_starts_from_random_weights(tmp_path: Path):
    (tmp_path / ".gitkeep").touch()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    assert initial_weights_of(tmp_path, 0) is None


def test_every_seed_has_its_own(tmp_path: Path):
    for seed in (0, 12):
        (tmp_path / "starts" / str(seed)).mkdir(parents=True)
    assert initial_weights_of(tmp_path / "starts", 12) == tmp_path / "starts/12"
    # the path stays as params have it
    assert initial_weights_of(Path("starts"), 0, project=tmp_path) == Path("starts/0")
    message = f"student.start: {tmp_path}/starts holds 0, 12, but no folder 1 for the seed 1; add "
    with pytest.raises(ParamsError, match=re.escape(message)):
        initial_weights_of(tmp_path / "starts", 1)


@pytest.mark.parametrize("name", ["model.json", "distill/0/model.json"])
def test_networks_one_folder_too_high_or_too_low_are_refused(tmp_path: Path, name: str):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    found = Path(name).parts[0]
    with pytest.raises(ParamsError, match=rf"holds {found}, but no folder 0 for the seed 0"):
        initial_weights_of(tmp_path, 0)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_folder_is_wanted(tmp_path: Path, name: str):
    (tmp_path / "file").touch()
    message = f"student.start: {tmp_path / name} is no folder; give one, an empty one for none"
    with pytest.raises(ParamsError, match=re.escape(message)):
        initial_weights_of(tmp_path / name, 0)


@pytest.mark.parametrize("folder", ["models/distill", "models/teacher", "models/student/0"])
def test_what_stages_write_is_refused(folder: str):
    message = f"student.start: stages write {folder}; start from a copy, as in `cp -r models/"
    with pytest.raises(ParamsError, match=re.escape(message)):
        initial_weights_of(Path(folder), 0)


def test_files_that_the_networks_params_name_are_no_seeds(tmp_path: Path):
    for name in ("own.keras", "notop.h5", "weights.hdf5"):
        (tmp_path / name).touch()
    assert initial_weights_of(tmp_path, 0) is None
    (tmp_path / "0").mkdir()
    assert initial_weights_of(tmp_path, 0) == tmp_path / "0"
