"""Write a file of answers for `teacher.source: logits`: CLIP's, which has seen none of the images.

In a project, after `dvc repro prepare`: `pip install open_clip_torch`, then

    python clip_zero_shot.py data/raw models/import/clip.npz [--unlabelled data/raw-unlabelled]

The first run downloads the model (600 MB). Classes are asked for by name, so name them in English:
a folder `golden_retriever`, not `class_17`. Any other model fits in where `clip` does.
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
    given = parser.parse_args()
    class_names = json.loads(Path("data/prepared/dataset.json").read_text("utf-8"))["class_names"]
    files = image_files(Path(), given.folder, given.unlabelled)
    write_answers(given.out, files, class_names, clip(class_names))
