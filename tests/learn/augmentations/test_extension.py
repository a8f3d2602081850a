"""Augmentations of each kind in a project's own extensions."""

from collections.abc import Callable

EXTENSION = '''
    """An augmentation of each kind."""

    from dataclasses import replace
    from typing import ClassVar, Literal

    import numpy as np

    from kdtasks.learn.augmentations import Batch, Geometric, Photometric, augmentations


    @augmentations.register
    class HalfTurn(Geometric):
        """Turn all images upside down."""

        order: ClassVar[int] = 50
        name: Literal["half_turn"] = "half_turn"

        def draw(self, rng, count, size, affine):
            rng.random(count)
            return replace(affine, angle=affine.angle + np.pi)


    @augmentations.register
    class Darkening(Photometric):
        """Divide each image's pixels by 1 to `most`."""

        order: ClassVar[int] = 10
        name: Literal["darkening"] = "darkening"
        most: int = 4

        def apply(self, images, rng):
            return images // rng.integers(1, self.most + 1, (len(images), 1, 1, 1)).astype(np.uint8)


    @augmentations.register
    class Exchange(Batch):
        """Give each image the lower half of another, and keep the label of the upper one."""

        order: ClassVar[int] = 100
        name: Literal["exchange"] = "exchange"

        def mix(self, images, labels, rng):
            half = images.shape[1] // 2
            others = images[rng.permutation(len(images))]
            return np.concatenate([images[:, :half], others[:, half:]], axis=1), labels
'''


SCRIPT = """
    import numpy as np

    from kdtasks.learn.training.online import OnlineExamples
    from kdtasks.learn.training.views import AugmentationParams, draw_view

    images = np.full((600, 4, 4, 1), 200, np.uint8)
    images += np.arange(4, dtype=np.uint8)[:, None, None]
    labels = np.arange(600)

    def view(*transforms, number=1, seed=0):
        params = AugmentationParams.model_validate({"transforms": transforms, "seed": seed})
        found, kept = draw_view(images, labels, view=number, augmentation=params)
        assert found.dtype == np.uint8 and (kept == labels).all()
        return found

    assert (view("half_turn") == images[:, ::-1]).all()
    assert (view("shift") == view("shift")).all()

    dark = view({"name": "darkening", "most": 2})
    factors = images[:, 0, 0, 0] // dark[:, 0, 0, 0]
    assert set(factors) == {1, 2}
    assert (dark == images // factors[:, None, None, None].astype(np.uint8)).all()
    assert (dark == view({"name": "darkening", "most": 2})).all()
    assert (dark != view({"name": "darkening", "most": 2}, number=2)).any()
    assert (dark != view({"name": "darkening", "most": 2}, seed=1)).any()

    both = view("exchange", "darkening")  # whichever way they are listed
    assert (both[:, :2] == view("darkening")[:, :2]).all()
    assert (both[:, 2:, 0, 0] // 50 != both[:, :2, 0, 0] // 50).any()

    params = AugmentationParams.model_validate({"transforms": ["darkening", "exchange"]})
    asked = []
    examples = OnlineExamples(
        images,
        labels,
        params,
        seed=1,
        predict_teacher=lambda seen: (asked.append(seen), seen[:, 0, 0])[1:],
    )

    def epoch(number, steps_per_block):
        blocks = examples.blocks(
            epoch=number, order=np.arange(600), batch_size=100, steps_per_block=steps_per_block
        )
        return np.concatenate([block.images for block in blocks])

    assert (epoch(1, 2) == epoch(1, 6)).all()
    assert (epoch(1, 6) != epoch(2, 6)).any()
    asked.clear()
    assert (epoch(3, 6).reshape(600, 4, 4, 1) == asked[-1]).all()
    print("as expected")
"""


def test_a_project_adds_augmentations_of_each_kind(extended: Callable[[str, str], str]):
    assert extended(EXTENSION, SCRIPT) == "as expected\n"
