"""Options that several commands of the model store share."""

from typing import Annotated

import typer

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="KDTASKS_STORE",
        metavar="ADDRESS",
        help="s3://bucket/prefix, file:///folder or the path of a folder; without it "
        "store.address of params.yaml.",
    ),
]
SigningOption = Annotated[
    str | None,
    typer.Option(
        "--signing-key",
        envvar="KDTASKS_SIGNING_KEY",
        metavar="PEM",
        help="Private Ed25519 key to sign with: a file, or the text itself.",
    ),
]
PublicOption = Annotated[
    str | None,
    typer.Option(
        "--public-key",
        envvar="KDTASKS_PUBLIC_KEY",
        metavar="PEM",
        help="Public keys of all who may sign, a file or the text; nothing else is accepted then.",
    ),
]
AliasOption = Annotated[str, typer.Option("--alias", metavar="ALIAS", help="Such as production.")]
