"""`python -m kdtasks`."""

from kdtasks.cli.main import main

main()
