"""Train: networks, losses, augmentations, teachers and their targets, the loop, the arms."""
