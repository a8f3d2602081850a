"""Stage `report`: the page, the chosen variant, and the figures behind the page."""

from pathlib import Path

from kdtasks.params import Params
from kdtasks.report.page import write_report
from kdtasks.stage import run_stage


def main(params: Params) -> None:
    """Read every metric below the project's folder and write `report/`."""
    write_report(Path(), params)


if __name__ == "__main__":
    run_stage(main)
