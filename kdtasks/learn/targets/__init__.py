"""The teacher's targets: its answers to every view, cached, or a teacher beside the student."""
