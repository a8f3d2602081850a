"""Options and arguments of the commands; those of one command alone stand there."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from kdtasks.cli import completion
from kdtasks.core.accelerators import Accelerator

IMAGES_HELP = "Files, folders and patterns such as 'photos/*.jpg'."

_bundle = Argument(
    help="Folder of a bundle such as bundles/int8, .kdz file or .tflite.",
    autocompletion=completion.bundles,
)
BundleArgument = Annotated[Path, _bundle]
OptionalBundleArgument = Annotated[Path | None, _bundle]

_model = Argument(help="Name of the model.", autocompletion=completion.models)
ModelArgument = Annotated[str, _model]
OptionalModelArgument = Annotated[str | None, _model]
ReferenceArgument = Annotated[
    str, Argument(metavar="NAME[@ALIAS|@VERSION]", autocompletion=completion.references)
]

RecipeArgument = Annotated[str, Argument(autocompletion=completion.recipes)]
StagesArgument = Annotated[
    list[str] | None, Argument(help="Stages, and what they need.", autocompletion=completion.stages)
]
StageOption = Annotated[
    list[str] | None,
    Option("--stage", help="Run this as well, report for all.", autocompletion=completion.stages),
]
SettingsOption = Annotated[
    list[str],
    Option(
        "-S",
        "--set-param",
        metavar="KEY=V1,V2,…",
        help="A key of params.yaml and its values.",
        autocompletion=completion.settings,
    ),
]
TuneOption = Annotated[
    list[str] | None,
    Option(
        "-S",
        "--set-space",
        metavar="KEY=LOW..HIGH",
        help="A key and the values it may have, or KEY=V1,V2.",
        autocompletion=completion.settings,
    ),
]

TaskOption = Annotated[
    str | None, Option(help="Classification or segmentation; by default: are there masks?")
]
ClusterOption = Annotated[
    str | None, Option(metavar="ADDRESS", help="Dask's scheduler, tcp://host:8786, or local:3.")
]
DryRunOption = Annotated[bool, Option("--dry-run", help="Print what would be done.")]
JsonOption = Annotated[bool, Option("--json", help="Print JSON in place of a table.")]
OutOption = Annotated[Path | None, Option(help="Folder for the page; below report/ by default.")]
WorkersOption = Annotated[
    int | None, Option(min=1, help="Most at once; as many as fit by default.")
]
TargetOption = Annotated[
    Accelerator | None,
    Option(help="What an accelerator takes of it, on paper."),
]
ThreadsOption = Annotated[int, Option(min=1, help="Threads of LiteRT.")]

NameOption = Annotated[
    str | None,
    Option(help="Model; else the bundle's or the project's.", autocompletion=completion.models),
]
_alias = Option(
    "--alias",
    metavar="ALIAS",
    help="Such as production, which gate and drift take without it.",
    autocompletion=completion.aliases,
)
AliasOption = Annotated[str, _alias]
OptionalAliasOption = Annotated[str | None, _alias]
StoreOption = Annotated[
    str | None,
    Option(
        envvar="KDTASKS_STORE",
        metavar="ADDRESS",
        help="s3://bucket/prefix, file:///folder or a folder; else store.address of params.yaml.",
    ),
]
SigningOption = Annotated[
    str | None,
    Option(
        envvar="KDTASKS_SIGNING_KEY",
        metavar="PEM",
        help="Private Ed25519 key to sign with: a file, or the text itself.",
    ),
]
ExpiresOption = Annotated[
    float | None,
    Option(
        "--expires",
        metavar="DAYS",
        min=0,
        max=36_500,
        help="Devices with a key take the alias so long, 0 for ever; as it was without this.",
    ),
]
PublicOption = Annotated[
    str | None,
    Option(
        envvar="KDTASKS_PUBLIC_KEY",
        metavar="PEM",
        help="Public keys of all who may sign, a file or the text; nothing else is accepted then.",
    ),
]
