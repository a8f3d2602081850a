"""Train the networks that the recipe mlperf-tiny starts from: all seeds side by side on one GPU.

An external start, no part of the product: kdtasks never runs this file and does without PyTorch.
It stays beside the weights that it made, so that anybody can make them again.

    python start.py train PREPARED TEACHER weights.npz [--epochs 228]
    python start.py save weights.npz start

PREPARED is the folder that the stage `prepare` wrote (`data/prepared`), of which the training split
is learned from and the validation and calibration splits are looked at; TEACHER is
`results/cifar10-teacher/teacher.keras`. The first command needs PyTorch and a GPU; the second needs
kdtasks, and writes one folder a seed, as `student.start` takes them.

Every step of a network is a CUDA graph, and the graphs of all seeds run at once: a network this
small cannot fill a GPU.
"""

import argparse
import io
import math
import time
import zipfile
from pathlib import Path

import numpy as np

STEM, TRUNK, COARSE, FINE, MERGED, KERNEL = 24, (48, 48), (72, 72, 72), (48,) * 6, (72,), 5
GRID = 2
SEEDS = (0, 1, 2)
BATCH, RATE, MOMENTUM, DECAY, WARM_UP = 256, 0.1, 0.9, 0.005, 0.03
ALPHA, TEMPERATURE = 0.1, 4.0
VIEWS = 24


def train(args):
    """Train every seed and write its arrays under `seed:layer/weight`, as Keras shapes them."""
    import torch
    from torch import nn
    from torch.nn import functional

    def padded(x, kernel, stride):
        """Pad as TensorFlow's `same` does."""
        total = max((math.ceil(x.shape[2] / stride) - 1) * stride + kernel - x.shape[2], 0)
        before = total // 2
        return functional.pad(x, (before, total - before, before, total - before))

    class Convolution(nn.Module):
        def __init__(self, name, given, filters, kernel=3, stride=1, depthwise=False, relu=True):
            super().__init__()
            self.name, self.kernel, self.stride, self.relu = name, kernel, stride, relu
            self.groups = given if depthwise else 1
            self.weight = nn.Parameter(torch.empty(filters, given // self.groups, kernel, kernel))
            spread = math.sqrt(2 / (kernel**2 * given // self.groups)) / 0.88
            nn.init.trunc_normal_(self.weight, std=spread, a=-2 * spread, b=2 * spread)
            self.norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.1)

        def forward(self, x):
            x = padded(x, self.kernel, self.stride)
            weight = self.weight.to(x.dtype)
            x = self.norm(functional.conv2d(x, weight, None, self.stride, 0, 1, self.groups))
            return functional.relu(x) if self.relu else x

        def arrays(self):
            depthwise, norm = self.groups > 1, self.norm
            kernel = "depthwise_kernel" if depthwise else "kernel"
            yield (
                f"{self.name}_conv/{kernel}",
                self.weight.permute(*(2, 3, *((0, 1) if depthwise else (1, 0)))),
            )
            yield f"{self.name}_norm/gamma", norm.weight
            yield f"{self.name}_norm/beta", norm.bias
            yield f"{self.name}_norm/moving_mean", norm.running_mean
            yield f"{self.name}_norm/moving_variance", norm.running_var

    class Block(nn.Module):
        def __init__(self, name, given, filters, stride=1, kernel=KERNEL):
            super().__init__()
            self.depthwise = Convolution(
                f"{name}_depthwise", given, given, kernel, stride, depthwise=True
            )
            self.project = Convolution(f"{name}_project", given, filters, 1, relu=False)
            self.adds = stride == 1 and given == filters

        def forward(self, x):
            y = self.project(self.depthwise(x))
            return x + y if self.adds else y

    def path(name, given, filters, halved=True):
        blocks = []
        for number, count in enumerate(filters, start=1):
            kernel = 3 if name == "trunk" and number == 1 else KERNEL
            stride = 2 if halved and number == 1 else 1
            blocks.append(Block(f"{name}_{number}", given, count, stride, kernel))
            given = count
        return nn.ModuleList(blocks)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = Convolution("stem", 3, STEM)
            self.trunk = path("trunk", STEM, TRUNK)
            self.coarse = path("coarse", TRUNK[-1], COARSE)
            self.early = nn.Linear(COARSE[-1] * GRID**2, 10)
            self.fine = path("fine", TRUNK[-1], FINE, halved=False)
            self.merged = path("merged", FINE[-1], (COARSE[-1], *MERGED))
            self.last = nn.Linear(MERGED[-1], 10)
            for layer in (self.early, self.last):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

        def forward(self, x):
            x = self.stem(x)
            for block in self.trunk:
                x = block(x)
            coarse = x
            for block in self.coarse:
                coarse = block(coarse)
            pooled = functional.avg_pool2d(coarse, coarse.shape[2] // GRID)
            early = self.early(pooled.permute(0, 2, 3, 1).flatten(1).float())
            for block in self.fine:
                x = block(x)
            for number, block in enumerate(self.merged):
                x = block(x) if number else block(x) + coarse
            return early, self.last(x.float().mean((2, 3)))

        def arrays(self):
            for module in self.modules():
                if isinstance(module, Convolution):
                    yield from module.arrays()
            for name, layer in (("exit_0_logits", self.early), ("exit_1_logits", self.last)):
                yield f"{name}/kernel", layer.weight.T
                yield f"{name}/bias", layer.bias

    class Teacher:
        """The WideResNet-16-4 of `cifar10-teacher`, normalisation folded into scale and shift."""

        def __init__(self, file):
            import h5py

            content = zipfile.ZipFile(file).read("model.weights.h5")
            layers = h5py.File(io.BytesIO(content))["layers"]

            def read(kind, number, index):
                name = f"{kind}_{number}" if number else kind
                return torch.tensor(layers[f"{name}/vars/{index}"][()], device="cuda")

            self.kernels = [
                read("conv2d", number, 0).permute(3, 2, 0, 1).to(torch.bfloat16)
                for number in range(16)
            ]
            self.norms = []
            for number in range(13):
                gamma, beta, mean, variance = (
                    read("batch_normalization", number, index) for index in range(4)
                )
                scale = gamma / torch.sqrt(variance + 1e-5)
                pair = (scale, beta - mean * scale)
                self.norms.append([one.to(torch.bfloat16).view(1, -1, 1, 1) for one in pair])
            self.kernel, self.bias = read("dense", 0, 0), read("dense", 0, 1)

        def __call__(self, pixels):
            kernels, norms = iter(self.kernels), iter(self.norms)

            def convolved(x, stride=1):
                kernel = next(kernels)
                return functional.conv2d(padded(x, kernel.shape[2], stride), kernel, None, stride)

            def activated(x):
                scale, shift = next(norms)
                return functional.relu(x * scale + shift)

            x = convolved((pixels / 64 - 1.9).to(torch.bfloat16))
            for block in range(6):
                stride = 2 if block in (2, 4) else 1
                before = activated(x)
                y = convolved(before, stride)
                shortcut = x if block % 2 else convolved(before, stride)
                x = shortcut + convolved(activated(y))
            return activated(x).float().mean((2, 3)) @ self.kernel + self.bias

    def moved(pixels, draw):
        """Mirror, turn by 8 degrees, zoom by a tenth and shift by a tenth of the side at most."""
        count = len(pixels)
        uniform = torch.rand((4, count), device="cuda", generator=draw) * 2 - 1
        angle, zoom = uniform[0] * math.radians(8), 1 + uniform[1] * 0.1
        mirror = torch.where(torch.rand(count, device="cuda", generator=draw) < 0.5, -1.0, 1.0)
        cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
        rows = (
            torch.stack([cosine * mirror, -sine, uniform[2] * 0.2], 1),
            torch.stack([sine * mirror, cosine, uniform[3] * 0.2], 1),
        )
        grid = functional.affine_grid(torch.stack(rows, 1), pixels.shape, align_corners=True)
        return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=True)

    class Run:
        """A network in training; its step is captured once and replayed."""

        def __init__(self, seed):
            self.seed, self.stream = seed, torch.cuda.Stream()
            self.network = Network().cuda()
            self.parameters = list(self.network.parameters())
            self.kernels = [one for one in self.parameters if one.dim() > 1]
            self.velocities = [torch.zeros_like(one) for one in self.parameters]
            self.done = torch.zeros((), device="cuda")
            self.view = torch.zeros(1, dtype=torch.long, device="cuda")
            self.order = torch.zeros(steps * BATCH, dtype=torch.long, device="cuda")
            self.place = torch.arange(BATCH, device="cuda")
            self.draw = torch.Generator("cuda").manual_seed(1000 + seed)
            self.begin_epoch(0)
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                for _ in range(3):
                    self.step()
            torch.cuda.synchronize()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=self.stream):
                self.step()
            torch.manual_seed(seed)
            with torch.no_grad():
                for one, other in zip(
                    self.network.state_dict().values(), Network().state_dict().values(), strict=True
                ):
                    one.copy_(other)
                for velocity in self.velocities:
                    velocity.zero_()
            self.done.zero_()

        def begin_epoch(self, epoch):
            order = torch.randperm(len(labels), device="cuda", generator=self.draw)
            self.order.copy_(order[: steps * BATCH])
            self.view.fill_((epoch * 7 + 3 * self.seed) % VIEWS)
            self.place.copy_(torch.arange(BATCH, device="cuda"))

        def step(self):
            rows, view = self.order[self.place], self.view.expand(BATCH)
            pixels = views[view, rows].to(torch.bfloat16) / 255
            soft = functional.log_softmax(logits[view, rows].float() / TEMPERATURE, -1)
            for one in self.parameters:
                one.grad = None
            loss = 0
            for exit_logits in self.network(pixels.contiguous(memory_format=torch.channels_last)):
                hard = functional.cross_entropy(exit_logits, labels[rows])
                answers = functional.log_softmax(exit_logits / TEMPERATURE, -1)
                taught = functional.kl_div(answers, soft, reduction="batchmean", log_target=True)
                loss = loss + ALPHA * hard + (1 - ALPHA) * TEMPERATURE**2 * taught
            (loss / 2).backward()
            with torch.no_grad():
                part = self.done / (args.epochs * steps)
                rate = RATE / 2 * (1 + torch.cos(math.pi * part)) * (part / WARM_UP).clamp(max=1)
                torch._foreach_mul_(self.kernels, 1 - rate * DECAY)
                changes = torch._foreach_mul([one.grad for one in self.parameters], rate)
                torch._foreach_mul_(self.velocities, MOMENTUM)
                torch._foreach_sub_(self.velocities, changes)
                torch._foreach_add_(self.parameters, self.velocities, alpha=MOMENTUM)
                torch._foreach_sub_(self.parameters, changes)
                self.done += 1
                self.place += BATCH

        @torch.no_grad()
        def accuracies(self, pixels, truth):
            self.network.eval()
            answers = [
                torch.stack(self.network(part.to(torch.bfloat16) / 255)).argmax(-1)
                for part in pixels.split(2048)
            ]
            self.network.train()
            return (torch.cat(answers, 1) == truth).float().mean(1).tolist()

    def split(*names):
        images, truth = (
            np.concatenate([np.load(args.prepared / f"{name}_{kind}.npy") for name in names])
            for kind in ("images", "labels")
        )
        return torch.tensor(images).cuda().permute(0, 3, 1, 2), torch.tensor(truth).long().cuda()

    torch.backends.cudnn.benchmark = True
    started, teacher = time.time(), Teacher(args.teacher)
    images, labels = split("train")
    held, held_labels = split("validation", "calibration")
    steps = len(labels) // BATCH
    views = torch.empty((VIEWS, *images.shape), dtype=torch.uint8, device="cuda")
    logits = torch.empty((VIEWS, len(labels), 10), dtype=torch.float16, device="cuda")
    draw = torch.Generator("cuda").manual_seed(0)
    with torch.no_grad():
        for view in range(VIEWS):
            for start in range(0, len(labels), 4096):
                part = images[start : start + 4096].float()
                part = (moved(part, draw) if view else part).round().clamp(0, 255)
                views[view, start : start + 4096] = part.to(torch.uint8)
                logits[view, start : start + 4096] = teacher(part).half()
    runs = [Run(seed) for seed in SEEDS]
    for epoch in range(args.epochs):
        for run in runs:
            run.begin_epoch(epoch)
        for _ in range(steps):
            for run in runs:
                with torch.cuda.stream(run.stream):
                    run.graph.replay()
        torch.cuda.synchronize()
        if epoch % 20 == 19 or epoch == args.epochs - 1:
            found = [[round(one, 4) for one in run.accuracies(held, held_labels)] for run in runs]
            print(f"epoch {epoch + 1}/{args.epochs} {found} {time.time() - started:.0f} s")
    np.savez_compressed(
        args.weights,
        **{
            f"{run.seed}:{name}": array.detach().float().cpu().numpy()
            for run in runs
            for name, array in run.network.arrays()
        },
    )


def save(args):
    """Write every seed's network as a folder of `models/distill` is written."""
    from kdtasks.learn.networks.build import HeadParams, build
    from kdtasks.learn.networks.saved import save_model
    from kdtasks.learn.networks.two_branch import TwoBranch

    architecture = TwoBranch(
        stem=STEM,
        trunk=TRUNK,
        coarse=COARSE,
        fine=FINE,
        merged=MERGED,
        kernel_size=KERNEL,
    )
    exits = {"exits": ["coarse_3"], "heads": {"coarse_3": HeadParams(grid=GRID)}}
    arrays = np.load(args.weights)
    for seed in SEEDS:
        model = build(architecture, input_shape=(32, 32, 3), num_classes=10, **exits)
        for weight in model.network.weights:
            weight.assign(arrays[f"{seed}:{weight.name.split(':')[0]}"])
        save_model(args.folder / str(seed), model)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    training = commands.add_parser("train")
    training.add_argument("prepared", type=Path)
    training.add_argument("teacher", type=Path)
    training.add_argument("weights", type=Path)
    training.add_argument("--epochs", type=int, default=228)
    training.set_defaults(run=train)
    saving = commands.add_parser("save")
    saving.add_argument("weights", type=Path)
    saving.add_argument("folder", type=Path)
    saving.set_defaults(run=save)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
