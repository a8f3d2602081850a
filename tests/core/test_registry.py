"""A folder is its registry's list, `extensions/` adds to it, and params choose from it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from kdtasks.core.errors import ParamsError
from kdtasks.core.registry import Registry, load_extensions
from kdtasks.core.settings import Section
from kdtasks.params.explain import allowed_values, explain, schema_of

INIT = """
from kdtasks.core.registry import Registry
from kdtasks.core.settings import Section

class Animal(Section):
    name: str

animals = Registry("animal", __name__, Animal)
"""

ITEM = """
from typing import Literal
from zoo.animals import Animal, animals

@animals.register
class {name}(Animal):
    name: Literal["{key}"] = "{key}"
    legs: int = 4
"""


def item(key: str) -> str:
    return ITEM.format(name=key.title(), key=key)


def of_plants(code: str) -> str:
    return code.replace("animal", "plant").replace("Animal", "Plant")


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Write modules of the package `zoo.animals` and extensions, and give the registry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(modules: dict[str, str], extensions: dict[str, str] | None = None) -> Any:
        files = {f"zoo/animals/{name}.py": content for name, content in modules.items()}
        files |= {f"extensions/{name}.py": content for name, content in (extensions or {}).items()}
        for name, content in ({"zoo/animals/__init__.py": INIT} | files).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        from zoo.animals import animals

        return animals

    yield write
    for name in [*sys.modules]:
        if name.partition(".")[0] in ("zoo", "kdtasks_extensions"):
            del sys.modules[name]


def test_modules_are_imported_when_items_are_asked_for(zoo: Callable[..., Any]):
    animals = zoo({"cat": item("cat")})
    assert "zoo.animals.cat" not in sys.modules
    assert animals.names() == ("cat",)
    assert "zoo.animals.cat" in sys.modules


def test_names_are_in_order_of_modules_then_of_definition(zoo: Callable[..., Any]):
    animals = zoo(
        {
            "ant": "import zoo.animals.dog\n" + item("ant"),
            "bee": item("wasp") + item("bee"),
            "dog": item("dog"),
        },
        {"aye": item("aye")},
    )
    assert animals.names() == ("ant", "wasp", "bee", "dog", "aye")
    assert [animal.__name__ for animal in animals] == ["Ant", "Wasp", "Bee", "Dog", "Aye"]


def test_subpackages_are_left_alone(zoo: Callable[..., Any]):
    animals = zoo({"cat": item("cat"), "fish/__init__": "raise AssertionError", "fish/cod": ""})
    assert animals.names() == ("cat",)


def test_an_item_by_name(zoo: Callable[..., Any]):
    animals = zoo({"cat": item("cat"), "dog": item("dog")})
    assert animals["dog"]().legs == 4
    with pytest.raises(ParamsError, match="animal: got 'dgo'; allowed: cat, dog; did you mean 'd"):
        animals["dgo"]


def test_a_folder_without_extensions(tmp_path: Path):
    load_extensions(tmp_path)
    load_extensions(tmp_path / "none")


class TestExtensions:
    def test_one_file_serves_several_registries_and_runs_once(
        self, zoo: Callable[..., Any], tmp_path: Path
    ):
        count = "with open('count', 'a') as file: file.write('x')\n"
        animals = zoo(
            {"cat": item("cat"), "../plants/__init__": of_plants(INIT)},
            {"mine": count + item("fox") + of_plants(item("elm"))},
        )
        from zoo.plants import plants

        assert animals.names() == ("cat", "fox")
        assert plants.names() == ("elm",)
        assert (tmp_path / "count").read_text() == "x"

    def test_may_import_each_other(self, zoo: Callable[..., Any]):
        animals = zoo({}, {"a": "from kdtasks_extensions.b import Fox", "b": item("fox")})
        assert animals.names() == ("fox",)

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
            ("if", "SyntaxError: invalid syntax (mine.py, line 1)"),
            ("raise ValueError('two\\nlines')", "ValueError: two lines"),
            (
                item("cat"),
                "animal 'cat' is defined by zoo.animals.cat.Cat and by "
                "kdtasks_extensions.mine.Cat; rename one of them",
            ),
        ],
    )
    def test_that_cannot_be_imported(self, zoo: Callable[..., Any], content: str, reason: str):
        animals = zoo({"cat": item("cat")}, {"mine": content})
        for _ in range(2):  # an error is not forgotten
            with pytest.raises(ParamsError) as caught:
                animals.names()
            assert str(caught.value) == (
                f"extensions/mine.py cannot be imported, fix or remove it: {reason}"
            )

    def test_that_registers_too_late(self, zoo: Callable[..., Any]):
        """An import that builds the params schema would leave the item out of it."""
        animals = zoo(
            {
                "cat": item("cat"),
                "../plants/__init__": of_plants(INIT),
                "../schema": "from zoo.plants import plants\nplants.names()",
            },
            {"mine": "import zoo.schema\n" + of_plants(item("elm"))},
        )
        with pytest.raises(ParamsError, match=r"plant 'elm' of .*mine\.Elm comes after the list"):
            animals.names()


class Shape(Section):
    name: str


def registry() -> Registry[Shape]:
    return Registry("shape", "tests.core", Shape)


class TestRegister:
    def test_the_same_class_again_takes_its_place(self):
        shapes = registry()
        first, second = self.circle(), self.circle()
        assert shapes.register(first) is first
        assert first is not second
        shapes.register(second)
        assert shapes._items == {"circle": second}

    @staticmethod
    def circle() -> type[Shape]:
        class Circle(Shape):
            name: Literal["circle"] = "circle"

        return Circle

    def test_another_class_of_the_name(self):
        class Round(Shape):
            name: Literal["circle"] = "circle"

        shapes = registry()
        shapes.register(self.circle())
        with pytest.raises(ParamsError, match=r"shape 'circle' is defined by .*Circle and by .*R"):
            shapes.register(Round)

    def test_a_class_of_another_base(self):
        class Circle(Section):
            name: Literal["circle"] = "circle"

        with pytest.raises(TypeError, match=r"Circle is no shape; extend .*\.Shape"):
            registry().register(Circle)  # type: ignore[arg-type]

    def test_a_class_without_a_name(self):
        with pytest.raises(TypeError, match=r"Shape has no name; give it a field such as `name: "):
            registry().register(Shape)


def test_a_list_is_not_asked_for_while_it_grows(zoo: Callable[..., Any]):
    animals = zoo({"cat": "from zoo.animals import animals\nanimals.union()"})
    with pytest.raises(RuntimeError, match=r"each animal is asked for while zoo\.animals is imp"):
        animals.names()


class TestUnion:
    @pytest.fixture(params=["union", "metadata"])
    def model(self, zoo: Callable[..., Any], request: pytest.FixtureRequest) -> type[Section]:
        animals = zoo({"cat": item("cat"), "dog": item("dog")}, {"fox": item("fox")})
        if request.param == "union":
            choice = animals.union()
        else:
            from zoo.animals import Animal

            choice = Annotated[Animal, animals]

        class Farm(Section):
            guard: choice = Field(description="who guards")  # type: ignore[valid-type]
            others: Annotated[tuple[choice, ...], Field(strict=False)] = ()  # type: ignore[valid-type]
            guest: choice | None = None  # type: ignore[valid-type]

        return Farm

    def test_a_mapping_a_name_and_an_item(self, model: Any):
        from zoo.animals import animals

        dog = animals["dog"]
        for given in ("dog", {"name": "dog"}, {"name": "dog", "legs": 4}, dog()):
            assert model(guard=given, others=[given], guest=given) == model(
                guard=dog(), others=(dog(),), guest=dog()
            )
        assert model(guard="fox").guest is None
        assert model(guard="fox").model_dump()["guard"] == {"name": "fox", "legs": 4}

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (
                {"guard": "dgo"},
                "guard.name: got \"dgo\"; allowed: cat, dog, fox; did you mean 'dog'?",
            ),
            (
                {"guard": {"name": "fxo"}},
                "guard.name: got \"fxo\"; allowed: cat, dog, fox; did you mean 'fox'?",
            ),
            ({"guard": {"legs": 4}}, "guard.name: missing; allowed: cat, dog, fox"),
            (
                {"guard": {"name": "cat", "leg": 4}},
                "guard.leg: unknown key, got 4; allowed in guard: name, legs; did you mean 'legs'?",
            ),
            (
                {"guard": {"name": "cat", "legs": "four"}},
                'guard.legs: got "four"; allowed: whole number',
            ),
            ({"guard": 3}, "guard: got 3; allowed: mapping with `name`: cat, dog, fox"),
            ({}, "guard: missing; allowed: mapping with `name`: cat, dog, fox"),
            (
                {"guard": "cat", "others": ["dog", {"name": "dog", "leg": 1}, "dgo"]},
                "others.1.leg: unknown key, got 1; allowed in others.1: name, legs; "
                "did you mean 'legs'? | others.2.name: got \"dgo\"; allowed: cat, dog, fox; "
                "did you mean 'dog'?",
            ),
            (
                {"guard": "cat", "others": "dog"},
                'others: got "dog"; allowed: list, each item mapping with `name`: cat, dog, fox',
            ),
            (
                {"guard": "cat", "guest": {"name": "fox", "legs": 1.5}},
                "guest.legs: got 1.5; allowed: whole number",
            ),
            (
                {"guard": "cat", "guest": []},
                "guest: got []; allowed: null or mapping with `name`: cat, dog, fox",
            ),
        ],
    )
    def test_mistakes_are_explained(self, model: Any, content: Any, expected: str):
        with pytest.raises(ValidationError) as caught:
            model.model_validate(content)
        assert explain(caught.value.errors(), schema_of(model)) == expected

    def test_a_single_item(self, zoo: Callable[..., Any]):
        animals = zoo({"cat": item("cat")})

        class Farm(Section):
            guard: animals.union()  # type: ignore[valid-type]

        assert Farm(guard="cat").guard == animals["cat"]()
        with pytest.raises(ValidationError) as caught:
            Farm(guard="dog")
        assert (
            explain(caught.value.errors(), schema_of(Farm)) == 'guard.name: got "dog"; allowed: cat'
        )

    def test_the_words_of_what_is_allowed(self, zoo: Callable[..., Any]):
        animals = zoo({"cat": item("cat"), "dog": item("dog")})
        assert allowed_values(schema_of(animals.union())) == "mapping with `name`: cat, dog"
