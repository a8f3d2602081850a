"""The accelerators that can be asked what they take of a model."""

from typing import Literal

Accelerator = Literal["ethos-u55-128", "ethos-u55-256", "ethos-u65-256", "edgetpu", "nnapi"]
