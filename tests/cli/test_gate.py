"""`kdtasks gate`: what it prints and its exit status."""

import json
from pathlib import Path

import pytest

from kdtasks.cli.gate import ProductionOptions, run_gate
from kdtasks.core.errors import ProjectError, StoreError, StoreMissingError
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import parse_address
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.params import load_params
from tests.tools.complete_params import complete_params
from tests.tools.pixel_bundles import write_pixel_bundle, write_pixel_dataset
from tests.tools.records import write_selection

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
NOWHERE = ProductionOptions()


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pixel_models: tuple[bytes, bytes]):
    """A project after its pipeline: of 300 images the chosen model gets 20 more than the other.

    How long the two take is left to chance, so it is no limit.
    """
    text = complete_params()
    assert "max_latency_growth: 0.25" in text
    text = text.replace("max_latency_growth: 0.25", "max_latency_growth: null")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "dvc.yaml").touch()
    params = load_params(tmp_path / "params.yaml")
    right = [(280, True, True), (20, True, False)]
    write_pixel_dataset(tmp_path / "data" / "prepared", params, right)
    write_pixel_bundle(tmp_path / "bundles" / "float32", pixel_models[0])
    write_selection(tmp_path, "float32", "smallest")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KDTASKS_STORE", raising=False)
    open_objects(parse_address(str(tmp_path / "store"))).check_conditions()
    return tmp_path


def put_in_production(store: Path, bundle: Path) -> None:
    objects = open_objects(parse_address(str(store)))
    AliasMover(objects, "pixels", "production").advance(
        publish(objects, bundle, name="pixels").found
    )


def test_the_chosen_variant_is_judged(finished: Path, pixel_models, capsys):
    store = finished / "store"
    options = ProductionOptions(store=str(store))
    assert run_gate(finished, None, options) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pixels@production: the new model may be promoted",
        "  holds: there is no model in production yet, so only absolute limits count",
    ]

    put_in_production(store, write_pixel_bundle(finished / "old", pixel_models[1]))
    assert run_gate(finished, None, options) == 0
    assert capsys.readouterr().out.startswith(
        "pixels@production, version 1: the new model may be promoted\n"
        "  holds: accuracy differs by +6.7"
    )

    put_in_production(store, finished / "bundles" / "float32")
    assert run_gate(finished, None, options) == 3
    assert capsys.readouterr().out.startswith("pixels@production, version 2: nothing to do\n")
    assert run_gate(finished, finished / "old", options) == 3
    unchanged = "pixels@production, version 2: unchanged\n  BROKEN: "
    assert capsys.readouterr().out.startswith(unchanged)


def test_json_names_what_was_looked_up(finished: Path, pixel_models, capsys):
    store = str(finished / "store")
    for version in (None, 1):
        assert run_gate(finished, None, ProductionOptions(store), as_json=True) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["model"], told["alias"], told["version"]) == ("pixels", "production", version)
        put_in_production(finished / "store", write_pixel_bundle(finished / "old", pixel_models[1]))
    options = ProductionOptions(store, name="others", alias="staging")
    assert run_gate(finished, None, options, is_first=True, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["alias"], told["version"]) == ("others", "staging", None)


def test_another_alias_is_named_in_every_line(finished: Path, pixel_models, capsys):
    store = finished / "store"
    objects = open_objects(parse_address(str(store)))
    old = write_pixel_bundle(finished / "old", pixel_models[1])
    AliasMover(objects, "pixels", "staging").advance(publish(objects, old, name="pixels").found)
    options = ProductionOptions(str(store), name="pixels", alias="staging")
    assert run_gate(finished, None, options) == 0
    better = capsys.readouterr().out
    assert better.startswith("pixels@staging, version 1: the new model may be promoted\n  holds: ")
    assert "\u00a0" not in better
    assert run_gate(finished, old, options) == 3
    assert "version 1, which is in staging, byte for byte" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "alias", "message"),
    [
        (
            "pixel",
            None,
            r"the store file:///.* has no model called pixel, only pixels; did you mean "
            r"'pixels'\?; give --name one of these, or --first if",
        ),
        (
            "pixels",
            "prod",
            r"the store file:///.* has no alias of pixels called prod, only production; did you "
            r"mean 'production'\?; give --alias one of these, or --first if",
        ),
        (None, "staging", "has no alias of pixels called staging, only production; give --alias"),
    ],
)
def test_a_slip_of_the_pen_is_no_first_release(
    finished: Path, pixel_models, capsys, name: str | None, alias: str | None, message: str
):
    put_in_production(finished / "store", write_pixel_bundle(finished / "old", pixel_models[1]))
    options = ProductionOptions(str(finished / "store"), name=name, alias=alias)
    with pytest.raises(StoreMissingError, match=message):
        run_gate(finished, None, options)
    assert run_gate(finished, None, options, is_first=True) == 0
    assert f"there is no model in {alias or 'production'} yet" in capsys.readouterr().out


def test_versions_without_an_alias(finished: Path, pixel_models, capsys):
    store = str(finished / "store")
    objects = open_objects(parse_address(store))
    publish(objects, write_pixel_bundle(finished / "old", pixel_models[1]), name="pixels")
    with pytest.raises(StoreMissingError, match="no alias of pixels called prod, only versions"):
        run_gate(finished, None, ProductionOptions(store, alias="prod"))
    assert run_gate(finished, None, ProductionOptions(store, name="pixels")) == 0
    assert run_gate(finished, None, ProductionOptions(store)) == 0


def test_an_empty_store_has_room_for_any_name(finished: Path, capsys):
    options = ProductionOptions(str(finished / "store"), name="pixels", alias="prod")
    assert run_gate(finished, None, options) == 0
    assert "there is no model in prod yet" in capsys.readouterr().out


def test_what_is_in_production_is_no_first_release(finished: Path, pixel_models):
    put_in_production(finished / "store", write_pixel_bundle(finished / "old", pixel_models[1]))
    with pytest.raises(StoreError, match=r"@production stands for version 1 already.*--first"):
        run_gate(finished, None, ProductionOptions(str(finished / "store")), is_first=True)


def test_no_variant_was_chosen(finished: Path):
    write_selection(finished, None, "all too large")
    with pytest.raises(ProjectError, match="no variant was chosen: all too large; give a bundle"):
        run_gate(finished, None, NOWHERE)


def test_no_store_is_named(finished: Path):
    with pytest.raises(StoreError, match="no store is named"):
        run_gate(finished, None, NOWHERE)
