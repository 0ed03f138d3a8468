#!/usr/bin/env bash
# usage: tools/image-build.sh [OPTION-OF-BUILD...]     by "make image"
# Builds the container image with docker, podman or buildah (or ENGINE), tagged as IMAGE.
# Its labels have VERSION and the commit, and SOURCE (an address) and CREATED (RFC 3339) if set.
# SNAPSHOT: use Debian's packages of that time; BASE: build on another Debian 12.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(cat VERSION)
revision=$(git -c safe.directory="$PWD" rev-parse --verify --quiet HEAD) || revision=

works() {
    case $1 in
    docker) docker info >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null ;;
    esac
}
for engine in ${ENGINE:-docker podman buildah}; do
    works "$engine" && break
    engine=
done
# Only Docker's format supports HEALTHCHECK.
case $engine in
docker) build=(docker build) ;;
podman) build=(podman build --format docker) ;;
buildah) build=(buildah bud --format docker) ;;
*)
    echo "image: no docker with a running engine, no podman and no buildah on this machine" >&2
    exit 1
    ;;
esac

options=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision")
for name in SOURCE SNAPSHOT BASE; do
    [ -z "${!name:-}" ] || options+=(--build-arg "$name=${!name}")
done
[ -z "${CREATED:-}" ] || options+=(--label "org.opencontainers.image.created=$CREATED")
tags=(--tag "${IMAGE:-ppm-server:$version}")
[ -n "${IMAGE:-}" ] || tags+=(--tag ppm-server:latest)

"${build[@]}" "${options[@]}" "${tags[@]}" "$@" .
