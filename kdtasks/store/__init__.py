"""The model store: versions of bundles in a bucket or a folder, published, promoted and pulled."""
