"""This project's own losses, networks, passes and the like, one a file: docs/development.md."""
