"""What every package builds on: errors, files, locks, paths, settings, TensorFlow on demand."""

from typing import Any

JsonObject = dict[str, Any]  # of which a reader knows no more than that it is JSON's
