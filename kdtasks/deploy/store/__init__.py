"""The model store: versions of bundles in a bucket or a folder, published, promoted and pulled."""

from pathlib import Path

from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.address import Address
from kdtasks.deploy.store.objects import Objects


def open_objects(address: Address) -> Objects:
    """Open a store; nothing is asked of it yet.

    Raises:
        StoreError: boto3 is needed and not installed, or its settings are wrong.
    """
    if isinstance(address, Path):
        from kdtasks.deploy.store.folder import FolderObjects

        return FolderObjects(address)
    # boto3 takes a third of a second to import, and a store in a folder does without it
    try:
        from kdtasks.deploy.store.bucket import BucketObjects
        from kdtasks.deploy.store.bucket_client import make_client
    except ModuleNotFoundError as error:
        raise StoreError(f"{address} needs {error.name}; pip install 'kdtasks[store]'") from None
    return BucketObjects(address, make_client())
