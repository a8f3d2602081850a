"""What a bundle is shipped with: a model card of just this bundle, and a bill of materials."""

from collections.abc import Container

from kdtasks.edge.bundle_files import CARD, SBOM
from kdtasks.edge.manifest import Manifest
from kdtasks.orchestrate.project.origin import Origin


def shipped_texts(
    names: Container[str], manifest: Manifest, origin: Origin | None
) -> dict[str, str]:
    """Give the files to ship beside those of a bundle, by their names.

    Args:
        names: of the bundle's files: a bill of materials among them stays as it is.
        manifest: of the bundle.
        origin: what a project knows of it.
    """
    from kdtasks.compress.bundle.sbom import missing_sbom

    texts = {} if SBOM in names else {SBOM: missing_sbom(manifest.libraries)}
    return texts | ({CARD: origin.card} if origin and origin.card else {})
