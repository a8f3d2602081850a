"""The accelerators that can be asked what they take of a model."""

from typing import Literal, get_args

# Those whose time Arm's compiler Vela estimates.
EthosU = Literal["ethos-u55-128", "ethos-u55-256", "ethos-u65-256"]
ETHOS_U: tuple[EthosU, ...] = get_args(EthosU)
Accelerator = Literal[EthosU, "edgetpu", "nnapi"]
