"""Where finished bundles are published."""

from pydantic import Field

from kdtasks.core.settings import Count, Section


class StoreParams(Section):
    """Where finished bundles are published; no stage depends on it."""

    address: str | None = Field(
        default=None,
        description="`s3://bucket/prefix`, `file:///folder` or the path of a folder, seen from the "
        "project; `--store` and `KDTASKS_STORE` go before it",
    )
    keep: Count = Field(
        default=10,
        description="newest versions of each model that `kdtasks gc` leaves, besides those that "
        "an alias needs",
    )
