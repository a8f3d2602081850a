"""Channel-wise distillation: where in the image each class is, for segmentation."""

from typing import ClassVar, Literal

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.losses.distillation import DistillationLoss, distillation_losses


@distillation_losses.register
class ChannelwiseKD(DistillationLoss):
    """T² / C · Σ over classes of KL(teacher ‖ student) over positions, the mean over images.

    The softmax runs over the positions of one class's map, so that the student learns where the
    teacher sees each class, rare classes as much as common ones (Shu et al. 2021, arXiv
    2011.13256). For masks only.
    """

    per_pixel: ClassVar[bool] = True

    name: Literal["channelwise_kd"] = "channelwise_kd"

    def __call__(
        self, student: Tensor, teacher: Tensor, temperature: Tensor | float, labels: Tensor
    ) -> Tensor:
        temperature = tf.cast(temperature, tf.float32)
        classes = student.shape[-1]
        log_student, log_teacher = (
            tf.nn.log_softmax(_maps(tf.cast(logits, tf.float32), classes) / temperature, axis=1)
            for logits in (student, teacher)
        )
        divergence = tf.reduce_sum(tf.exp(log_teacher) * (log_teacher - log_student), axis=1)
        return temperature**2 * tf.reduce_mean(divergence)


def _maps(logits: Tensor, classes: int) -> Tensor:
    """Put all positions of an image on one axis: [batch, height · width, C]."""
    return tf.reshape(logits, (tf.shape(logits)[0], -1, classes))
