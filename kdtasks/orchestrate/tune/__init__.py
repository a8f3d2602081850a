"""Choose settings of the student alone and of the distilled one on the validation split."""
