"""What pyproject.toml cannot say: the files of a project, which lie beside the package.

`kdtasks init` takes them from `kdtasks/template` of the wheel; in a clone they are at its top.
"""

from setuptools import find_packages, setup

FOLDERS = ("docs", "examples.extensions", "extensions", "flows", "recipes", "stages")
TEMPLATE = "kdtasks.template"

setup(
    packages=[
        *find_packages(include=["kdtasks", "kdtasks.*"]),
        TEMPLATE,
        *(f"{TEMPLATE}.{name}" for name in FOLDERS),
    ],
    package_dir={TEMPLATE: "."},
)
