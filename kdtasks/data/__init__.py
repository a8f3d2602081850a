"""From images on disk to four splits of uint8 arrays: read, check, split, write."""
