"""Show the data, and what augmentation makes of some training images, before anyone trains."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write the page of the data and the contact sheet."""
    from kdtasks.core.files import write_text
    from kdtasks.core.records.data import Dataset
    from kdtasks.data.findings import read_overview
    from kdtasks.data.prepared import SPLITS, open_prepared
    from kdtasks.learn.training.views import count_views
    from kdtasks.report.contact_sheet import write_contact_sheet
    from kdtasks.report.data_page import DataPage, render_data_page

    dataset, mask_values = open_prepared(paths.prepared), params.data.source.mask_values
    split_of = {name: split for split in SPLITS for name in dataset.names(split)}
    overview, record = read_overview(paths.findings), Dataset.read(paths.dataset)
    page = DataPage(params.recipe, record, split_of, overview, mask_values)
    write_text(paths.data_page, render_data_page(page))
    print(f"{paths.data_page} shows the data")
    augmentation, is_online = params.augmentation, params.targets.mode == "online"
    write_contact_sheet(
        paths.contact_sheet,
        dataset,
        augmentation,
        is_varied=bool(augmentation.transforms) and (is_online or count_views(augmentation) > 1),
        mask_values=mask_values,
    )
    print(f"{paths.contact_sheet} shows what training sees")


if __name__ == "__main__":
    run_stage(main)
