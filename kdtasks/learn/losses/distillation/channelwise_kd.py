"""Channel-wise distillation: where in the image each class is, for segmentation."""

from typing import ClassVar, Literal

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.distillation import DistillationLoss, distillation_losses, divergence


@distillation_losses.register
class ChannelwiseKD(DistillationLoss):
    """T² / C · Σ over classes of KL(teacher ‖ student) over positions, the mean over images.

    The softmax runs over the positions of one class's map, so that the student learns where the
    teacher sees each class, rare classes as much as common ones (Shu et al. 2021, arXiv
    2011.13256). For masks only.
    """

    per_pixel: ClassVar[bool] = True

    name: Literal["channelwise_kd"] = "channelwise_kd"

    @property
    def is_plain(self) -> bool:
        """Not, as the softmax runs over positions."""
        return False

    def __call__(
        self, student: Tensor, teacher: Tensor, temperature: Tensor | float, labels: Tensor
    ) -> Tensor:
        # all positions of an image on one axis: [batch, height · width, classes]
        shape = (tf.shape(student)[0], -1, student.shape[-1])
        student, teacher = tf.reshape(student, shape), tf.reshape(teacher, shape)
        return divergence(student, teacher, temperature, axis=1)
