#!/usr/bin/env bash
# Keep what the installed version writes, for later ones to open: at a release, from the clone,
#     tests/kept/keep.sh CLASSES MASKS
# with two finished projects that `kdtasks init` began, of classes and of masks.
set -euo pipefail
classes=$(realpath "$1") masks=$(realpath "$2")
version=$(kdtasks --version | cut -d' ' -f2)
kept="$(dirname "$(realpath "$0")")/$version"
mkdir "$kept"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
kdtasks keys new "$keys/key.pem"
mv "$keys/key.pub.pem" "$kept/public.pem"
(cd "$classes" && kdtasks publish bundles/int8 --name classes --store "$kept/store" \
    --alias production --signing-key "$keys/key.pem")
(cd "$masks" && kdtasks pack bundles/int8 --out "$kept/masks.kdz")
cp "$classes/params.yaml" "$kept/params.yaml"
(cd "$classes" && git ls-files | tar --create --gzip --file "$kept/project.tar.gz" dvc.lock --files-from -)
du -sh "$kept"
