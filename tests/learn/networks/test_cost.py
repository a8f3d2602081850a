"""Weights and multiply-accumulates, against numbers worked by hand.

A convolution of k×k from a to b channels on h×w outputs has k·k·a·b weights, b biases (or 4·b
numbers of a batch normalisation instead) and h·w·k·k·a·b multiply-accumulates.
"""

import pytest

from kdtasks.core.backend import keras
from kdtasks.learn.networks import Architecture
from kdtasks.learn.networks.alexnet import AlexNet
from kdtasks.learn.networks.build import HeadParams, build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.mobilenet import MobileNet
from kdtasks.learn.networks.multi_exit import count_macs
from kdtasks.learn.networks.resnet import ResNet, ResNet8
from kdtasks.learn.networks.two_branch import TwoBranch
from kdtasks.learn.networks.unet import UNet


def plain_cnn(filters: tuple[int, ...], dense: tuple[int, ...] = (), **more: object) -> CNN:
    top = "flatten" if dense else "global_average"
    return CNN.model_validate(
        {"name": "cnn", "filters": filters, "dense": dense, "batch_normalization": False}
        | {"top": top}
        | more
    )


HAND_WORKED: dict[str, tuple[Architecture, tuple[int, int, int], int, int, int]] = {
    # 8×8: 1→8 is 72+8 weights, 64·72 = 4,608; 4×4: 8→16 is 1,152+16, 16·1,152 = 18,432;
    # dense 16→10: 160+10, 160.
    "small": (plain_cnn((8, 16)), (8, 8, 1), 10, 1_418, 23_200),
    # The same with batch normalisation instead of biases: + 4·8 − 8 + 4·16 − 16.
    "small_normalized": (
        CNN(filters=(8, 16)),
        (8, 8, 1),
        10,
        1_490,
        23_200,
    ),
    # Strides halve the convolution's own output: 16·72 = 1,152; 4·1,152 = 4,608; 160.
    "small_strides": (plain_cnn((8, 16), downsampling="strides"), (8, 8, 1), 10, 1_418, 5_920),
    # 32×32: 3→256 7,168 weights, 7,077,888; 16×16: 256→256 590,080, 150,994,944; 8×8: 256→512
    # 1,180,160, 75,497,472; 4·4·512 = 8,192→128 1,048,704, 1,048,576; 128→10 1,290, 1,280.
    "cifar10_keras_teacher": (
        plain_cnn((256, 256, 512), (128,), activation="leaky_relu", dropout=0.3),
        (32, 32, 3),
        10,
        2_827_402,
        234_620_160,
    ),
    # 896, 884,736; 9,248, 2,359,296; 8·8·32 = 2,048→16 32,784, 32,768; 16→10 170, 160.
    "cifar10_keras_student": (
        plain_cnn((32, 32), (16,), activation="leaky_relu"),
        (32, 32, 3),
        10,
        43_098,
        3_276_960,
    ),
    # 64×64: 448, 1,769,472; 4,640, 4,718,592; 18,496, 4,718,592; 73,856, 4,718,592;
    # 4·4·128 = 2,048→128 262,272, 262,144; 128→5 645, 640.
    "flowers": (
        plain_cnn((16, 32, 64, 128), (128,)),
        (64, 64, 3),
        5,
        360_357,
        16_188_032,
    ),
    # Stem 3→16: 432+64, 442,368. Block 1, twice 16→16: 2·(2,304+64), 2·2,359,296.
    # Block 2 on 16×16: 16→32 4,608+128, 1,179,648; 32→32 9,216+128, 2,359,296; shortcut 544,
    # 131,072. Block 3 on 8×8: 18,432+256, 1,179,648; 36,864+256, 2,359,296; 2,112, 131,072.
    # 64→10: 650, 640. MLPerf Tiny's 78,666 has the 240 biases that batch normalisation makes
    # superfluous.
    "resnet8": (ResNet8(), (32, 32, 3), 10, 78_426, 12_501_632),
    # Stem as above. Block 1 on 16×16: 16→32 4,608+128, 1,179,648; 32→32 9,216+128, 2,359,296;
    # shortcut 544, 131,072. Block 2, twice 32→32: 2·9,344, 2·2,359,296. Block 3 on 8×8: 32→48
    # 13,824+192, 884,736; 48→48 20,736+192, 1,327,104; shortcut 1,584, 98,304. 48→10: 490, 480.
    "resnet": (
        ResNet(stem=16, filters=(32, 32, 48), strides=(2, 1, 2)),
        (32, 32, 3),
        10,
        70_826,
        11_141_600,
    ),
    # Stem 3→16 on 32×32 432+64, 442,368. Block 1: 16→48 768+192, 786,432; 3×3 of each on 16×16
    # 432+192, 110,592; 48→24 1,152+96, 294,912. Block 2: 24→72 1,728+288, 442,368; on 8×8 648+288,
    # 41,472; 72→48 3,456+192, 221,184. Top 48→32 1,536+128, 98,304. 32→10: 330, 320.
    "mobilenet": (
        MobileNet(stem=16, filters=(24, 48), strides=(2, 2), expansion=3, top=32),
        (32, 32, 3),
        10,
        11_922,
        2_437_952,
    ),
    # On 16×16: stem 3→16 432+64, 110,592; 3×3 of each 144+64, 36,864; 16→24 384+96, 98,304.
    # 24→10: 250, 240.
    "mobilenet_strided_stem": (
        MobileNet(stem_strides=2, filters=(24,), strides=(1,), expansion=1),
        (32, 32, 3),
        10,
        1_434,
        246_000,
    ),
    # Stem as above. 3×3 16→16 2,304+64, 589,824. 16→24 on 8×8: 144+64, 9,216; 384+96, 24,576.
    "mobilenet_dense": (
        MobileNet(stem_strides=2, filters=(16, 24), strides=(1, 2), expansion=1, dense=16),
        (32, 32, 3),
        10,
        3_802,
        734_448,
    ),
    # Stem 3→24 648+96, 663,552. Trunk on 16×16: 3×3 216+96, 55,296; 24→48 1,152+192, 294,912; 5×5
    # 1,200+192, 307,200; 48→48 2,304+192, 589,824. Coarse on 8×8: 1,200+192, 76,800; 48→72
    # 3,456+288, 221,184; twice 1,800+288, 115,200 and 72→72 5,184+288, 331,776. Fine: six times the
    # second of the trunk. Merged: the first and the second of the coarse path. 72→10: 730, 720.
    "two_branch": (
        TwoBranch(trunk=(48, 48), coarse=(72, 72, 72), fine=(48,) * 6, merged=(72,)),
        (32, 32, 3),
        10,
        63_298,
        9_230_544,
    ),
    # 5×5 3→32 on 32×32: 2,400+128, 2,457,600; 5×5 32→64 on 16×16: 51,200+256, 13,107,200; on 8×8
    # 64→96 55,296+384, 3,538,944; 96→96 82,944+384, 5,308,416; 96→64 55,296+256, 3,538,944;
    # 4·4·64 = 1,024→256 262,400, 262,144; 256→256 65,792, 65,536; 256→10 2,570, 2,560.
    "alexnet": (AlexNet(), (32, 32, 3), 10, 579_306, 28_281_344),
    # 8×8: 1→2 20, 1,152; 2→2 38, 2,304; 4×4: 2→4 76, 1,152; 4→4 148, 2,304; up, 2×2 4→2 on 8×8
    # 34, 2,048; 2+2→2 74, 4,608; 2→2 38, 2,304; head 2→2 6, 256.
    "unet": (
        UNet(filters=(2, 4), batch_normalization=False),
        (8, 8, 1),
        2,
        434,
        16_128,
    ),
}


@pytest.mark.parametrize("case", HAND_WORKED)
def test_parameters_and_macs(case: str):
    architecture, input_shape, num_classes, parameters, macs = HAND_WORKED[case]
    model = build(architecture, input_shape=input_shape, num_classes=num_classes)
    assert model.count_parameters() == parameters
    assert model.macs() == [macs]


def test_a_convolution_in_a_head_counts():
    model = build(
        ResNet(stem=16, filters=(32, 32, 48), strides=(2, 1, 2)),
        input_shape=(32, 32, 3),
        num_classes=10,
        exits=("block_1",),
        heads={"block_1": HeadParams(filters=32, grid=2)},
    )
    # 32→32 from 16×16 to 8×8: 589,824; 2·2·32→10: 1,280; stem and block 1: 4,112,384.
    assert model.macs() == [4_112_384 + 591_104, 11_141_600 + 591_104]


def test_macs_of_exits_include_the_heads_before_them():
    model = build(
        ResNet8(),
        input_shape=(32, 32, 3),
        num_classes=10,
        exits=("stem", "block_1", "block_2", "block_3"),
    )
    # Heads look at a 4×4 grid: 4·4·channels·10 with 16, 16, 32 and 64 channels.
    assert model.macs() == [
        442_368 + 2_560,
        444_928 + 4_718_592 + 2_560,
        5_166_080 + 3_670_016 + 5_120,
        8_841_216 + 3_670_016 + 10_240,
        12_521_472 + 640,
    ]
    assert model.count_parameters() == 78_426 + 2_570 + 2_570 + 5_130 + 10_250


def test_macs_count_an_open_skip_of_a_unet_once():
    architecture = UNet(filters=(2, 4, 8))
    plain = build(architecture, input_shape=(16, 16, 1), num_classes=3)
    with_exit = build(architecture, input_shape=(16, 16, 1), num_classes=3, exits=["up_1"])
    head = 8 * 8 * 4 * 3  # 1×1 from 4 channels to 3 classes on 8×8
    assert with_exit.macs()[-1] == plain.macs()[-1] + head


def test_macs_of_layers_that_the_zoo_does_not_use():
    image = keras.Input((6, 6, 4))
    depthwise = keras.layers.DepthwiseConv2D(3, padding="same")(image)  # 36 · 9 · 4
    grown = keras.layers.Conv2DTranspose(2, 2, strides=2)(depthwise)  # 36 · 4 · 4 · 2
    assert count_macs(keras.Model(image, grown)) == 1_296 + 1_152
