"""Write a file of answers for `teacher.source: logits`, by a model that needs no TensorFlow.

In a project, after `dvc repro prepare`, with CLIP, which has seen none of the images:

    pip install open_clip_torch
    python teacher_answers.py data/raw models/import/clip.npz [--unlabelled data/raw-unlabelled]

The first run downloads the model (600 MB). Classes are asked for by name, so name them in English:
a folder `golden_retriever`, not `class_17`. Or with a Keras 3 classifier whose outputs are the
classes by name, on JAX or PyTorch, and so on their GPUs:

    pip install keras jax
    KERAS_BACKEND=jax python teacher_answers.py data/raw models/import/big.npz --keras big.keras

Any other model fits in where `clip` does.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

# From images to logits [N, classes].
Answer = Callable[[list[Image.Image]], np.ndarray]


def clip(class_names: Sequence[str], prompt: str = "a photo of a {}.") -> Answer:
    """Open CLIP, which says how well the name of each class describes an image."""
    import open_clip
    import torch

    kind = "ViT-B-32"
    model, _, preprocess = open_clip.create_model_and_transforms(kind, "laion2b_s34b_b79k")
    model.eval()
    words = [prompt.format(name.replace("_", " ")) for name in class_names]
    with torch.no_grad():
        texts = model.encode_text(open_clip.get_tokenizer(kind)(words), normalize=True)

    @torch.no_grad()
    def answer(images: list[Image.Image]) -> np.ndarray:
        pixels = torch.stack([preprocess(image) for image in images])
        features = model.encode_image(pixels, normalize=True)
        return (model.logit_scale.exp() * features @ texts.T).numpy()

    return answer


def keras_classifier(path: Path) -> Answer:
    """Open a classifier that takes RGB images of 0…255 and ends in logits or in softmax."""
    import keras

    model = keras.saving.load_model(path, compile=False)
    height, width = model.input_shape[1:3]
    if height is None or width is None:
        raise SystemExit(f"{path} takes images of any size; save it with an Input of one size")

    def answer(images: list[Image.Image]) -> np.ndarray:
        fitted = [image.resize((width, height), Image.Resampling.BILINEAR) for image in images]
        found = model(np.stack(fitted).astype("float32"), training=False)
        found = keras.ops.convert_to_numpy(found)
        is_softmax = (found >= 0).all() and np.allclose(found.sum(axis=1), 1, atol=1e-3)
        return np.log(np.maximum(found, 1e-9)) if is_softmax else found

    return answer


def image_files(project: Path, folder: Path, unlabelled: Path | None) -> dict[str, Path]:
    """Find the images that `prepare` kept, by the names that a file of answers calls them."""
    prepared = json.loads((project / "data/prepared/names.json").read_text("utf-8"))
    found = {name: folder / name for names in prepared.values() for name in names}
    if unlabelled:
        kept = json.loads((project / "data/unlabelled/names.json").read_text("utf-8"))
        prefix = "unlabelled/"
        found |= {name: unlabelled / name.removeprefix(prefix) for name in kept["unlabelled"]}
    return found


def write_answers(
    path: Path, images: Mapping[str, Path], class_names: Sequence[str], answer: Answer
) -> None:
    """Ask about all images, 64 at a time, and write names, logits and the classes' order."""
    names, logits = list(images), []
    for start in range(0, len(names), 64):
        files = [images[name] for name in names[start : start + 64]]
        opened = [ImageOps.exif_transpose(Image.open(file)).convert("RGB") for file in files]
        logits.append(answer(opened))
    np.savez(
        path,
        names=np.array(names, str),
        logits=np.concatenate(logits),
        classes=np.array(class_names, str),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="data.path")
    parser.add_argument("out", type=Path, help="the file to write, an .npz")
    parser.add_argument("--unlabelled", type=Path, help="data.unlabelled, if it holds images")
    parser.add_argument("--keras", type=Path, help="the classifier to ask, in place of CLIP")
    given = parser.parse_args()
    class_names = json.loads(Path("data/prepared/dataset.json").read_text("utf-8"))["class_names"]
    files = image_files(Path(), given.folder, given.unlabelled)
    teacher = keras_classifier(given.keras) if given.keras else clip(class_names)
    write_answers(given.out, files, class_names, teacher)
