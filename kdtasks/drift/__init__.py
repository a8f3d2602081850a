"""Notice from telemetry of devices that their pictures are not those that a model was made for."""
