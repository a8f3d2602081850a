"""Draw what augmentation makes of some training images, before anyone trains."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write the contact sheet."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.training.views import count_views
    from kdtasks.report.contact_sheet import write_contact_sheet

    augmentation, is_online = params.augmentation, params.targets.mode == "online"
    write_contact_sheet(
        paths.contact_sheet,
        open_prepared(paths.prepared),
        augmentation,
        is_varied=bool(augmentation.transforms) and (is_online or count_views(augmentation) > 1),
        mask_values=params.data.source.mask_values,
    )
    print(f"{paths.contact_sheet} shows what training sees")


if __name__ == "__main__":
    run_stage(main)
