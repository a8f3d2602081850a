"""Train the teacher of the CIFAR-10 recipes: a WideResNet-16-4 (arXiv 1605.07146), in Keras 3.

    KERAS_BACKEND=jax python teacher.py PREPARED teacher.keras [--epochs 60] [--seed 0]

PREPARED is the folder that the stage `prepare` wrote (`data/prepared`); only its training and
validation splits are read. It takes minutes on a GPU and needs Keras 3 with JAX; neither is
needed to use its result.
"""

import argparse
import json
import os
import time
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np

BATCH = 256
SHIFT = 3.2  # pixels: a tenth of the side, as the recipes' augmentation.shift


def wide_resnet(width: int = 4, depth: int = 16, weight_decay: float = 5e-4) -> keras.Model:
    """Build a WideResNet that takes raw pixels 0…255 and puts out logits [batch, 10]."""
    layers = keras.layers
    blocks = (depth - 4) // 6

    def normalized(tensor, name):
        tensor = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(tensor)
        return layers.ReLU(name=f"{name}_relu")(tensor)

    def convolved(tensor, filters, kernel_size, strides, name):
        return layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            kernel_regularizer=keras.regularizers.L2(weight_decay / 2),
            name=name,
        )(tensor)

    image = keras.Input((32, 32, 3), name="image")
    tensor = layers.Rescaling(1 / 64, offset=-1.9, name="rescale")(image)
    tensor = convolved(tensor, 16, 3, 1, "stem")
    for stage, filters in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range(blocks):
            name = f"stage_{stage}_block_{block}"
            strides = 2 if stage and not block else 1
            activated = normalized(tensor, f"{name}_1")
            shortcut = tensor
            if tensor.shape[-1] != filters:
                shortcut = convolved(activated, filters, 1, strides, f"{name}_shortcut")
            tensor = convolved(activated, filters, 3, strides, f"{name}_1_conv")
            tensor = convolved(normalized(tensor, f"{name}_2"), filters, 3, 1, f"{name}_2_conv")
            tensor = layers.Add(name=f"{name}_add")([shortcut, tensor])
    tensor = layers.GlobalAveragePooling2D(name="pool")(normalized(tensor, "top"))
    return keras.Model(
        image, layers.Dense(10, dtype="float32", name="logits")(tensor), name="wide_resnet"
    )


def augment(images, key):
    """Mirror and shift images by parts of pixels, edges repeated; images float [N, 32, 32, 3]."""
    count, side = images.shape[0], images.shape[1]
    border = int(np.ceil(SHIFT)) + 1
    keys = jax.random.split(key, 2)
    shift = jax.random.uniform(keys[0], (count, 2), minval=-SHIFT, maxval=SHIFT)
    mirrored = jax.random.bernoulli(keys[1], 0.5, (count, 1, 1, 1))
    images = jnp.where(mirrored, images[:, :, ::-1], images)
    padded = jnp.pad(images, ((0, 0), (border, border), (border, border), (0, 0)), mode="edge")
    whole = jnp.floor(shift).astype(jnp.int32)
    rest = shift - whole

    def move(image, start, part):
        window = jax.lax.dynamic_slice(
            image, (border + start[0], border + start[1], 0), (side + 1, side + 1, 3)
        )
        rows = window[:-1] * (1 - part[0]) + window[1:] * part[0]
        return rows[:, :-1] * (1 - part[1]) + rows[:, 1:] * part[1]

    return jax.vmap(move)(padded, whole, rest)


def erase(images, key, reach=4):
    """Blank a square of 7×7 pixels (Cutout, arXiv 1708.04552) with mid-grey."""
    count, side = images.shape[0], images.shape[1]
    centre = jax.random.randint(key, (count, 2), 0, side)
    grid = jnp.arange(side)
    hidden = jnp.abs(grid[None] - centre[:, :1]) < reach
    hidden_columns = jnp.abs(grid[None] - centre[:, 1:]) < reach
    mask = (hidden[:, :, None] & hidden_columns[:, None, :])[..., None]
    return jnp.where(mask, 121.0, images)


def cross_entropy(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()


def train(model, optimizer, images, labels, *, epochs, seed, loss_of, prepare, log, batch=BATCH):
    """Train with whole epochs compiled; returns the trained variables in the model."""
    steps = len(images) // batch
    optimizer.build(model.trainable_variables)
    state = (
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
        [v.value for v in optimizer.variables],
    )

    def step(state, batch_rows_key):
        trainable, others, opt = state
        rows, key = batch_rows_key

        def objective(trainable):
            inputs, extra = prepare(rows, key)
            outputs, new_others, losses = model.stateless_call(
                trainable, others, inputs, training=True, return_losses=True
            )
            return loss_of(outputs, rows, extra) + sum(losses), new_others

        (value, others), gradients = jax.value_and_grad(objective, has_aux=True)(trainable)
        trainable, opt = optimizer.stateless_apply(opt, gradients, trainable)
        return (trainable, others, opt), value

    @jax.jit
    def epoch_of(state, key):
        keys = jax.random.split(key, steps + 1)
        rows = jax.random.permutation(keys[0], len(images))[: steps * batch].reshape(steps, batch)
        state, losses = jax.lax.scan(step, state, (rows, keys[1:]))
        return state, losses.mean()

    key, started = jax.random.key(seed), time.time()
    for epoch in range(epochs):
        state, loss = epoch_of(state, jax.random.fold_in(key, epoch))
        if epoch in (0, 1) or epoch % 10 == 9:
            log(f"epoch {epoch + 1}/{epochs} loss {float(loss):.4f} {time.time() - started:.0f} s")
    for variable, value in zip(model.trainable_variables, state[0], strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, state[1], strict=True):
        variable.assign(value)


def logits_of(model, images, batch=1000):
    trainable = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    run = jax.jit(lambda x: model.stateless_call(trainable, others, x, training=False)[0])
    parts = []
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        padded = np.resize(part, (batch, *part.shape[1:])) if len(part) < batch else part
        out = run(jnp.asarray(padded, jnp.float32))
        parts.append(np.asarray(out[: len(part)], np.float32))
    return np.concatenate(parts)


def pack(path):
    """Compress the archive, with names in order and no dates."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in sorted(archive.namelist())}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("prepared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    data = {
        name: np.load(args.prepared / f"{name}.npy")
        for name in ("train_images", "train_labels", "validation_images", "validation_labels")
    }
    images = jnp.asarray(data["train_images"])
    labels = jnp.asarray(data["train_labels"], jnp.int32)
    keras.utils.set_random_seed(args.seed)
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    model = wide_resnet()
    steps = args.epochs * (len(images) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 20, warmup_target=0.2, warmup_steps=steps // 20
    )
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)

    def prepare(rows, key):
        first, second = jax.random.split(key)
        moved = augment(images[rows].astype(jnp.float32), first)
        return erase(moved, second), None

    started = time.time()
    train(
        model,
        optimizer,
        images,
        labels,
        epochs=args.epochs,
        seed=args.seed,
        loss_of=lambda logits, rows, _: cross_entropy(logits, labels[rows]),
        prepare=prepare,
        log=lambda text: print(text, flush=True),
    )
    seconds = time.time() - started
    keras.mixed_precision.set_dtype_policy("float32")
    saved = wide_resnet()
    # Rounded to bfloat16 the file packs to half its size, and hardly an answer changes.
    saved.set_weights(
        [np.asarray(jnp.asarray(array, jnp.bfloat16), np.float32) for array in model.get_weights()]
    )
    saved.save(args.out)
    pack(args.out)
    right = {
        name: logits_of(network, data["validation_images"]).argmax(-1) == data["validation_labels"]
        for name, network in (("as trained", model), ("as saved", saved))
    }
    accuracy = {name: float(answers.mean()) for name, answers in right.items()}
    print(json.dumps({"seconds": seconds, "epochs": args.epochs, "seed": args.seed, **accuracy}))


if __name__ == "__main__":
    main()
