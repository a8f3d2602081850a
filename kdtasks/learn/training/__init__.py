"""The training loop: whole epochs inside TensorFlow, checkpointed, guarded, reproducible."""
