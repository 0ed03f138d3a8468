#!/usr/bin/env bash
# usage: tools/check-image.sh     by "make check-image"
# Builds the container image, inspects it, and runs it as it should be run; prints one line per check.
# Uses Docker if its engine works; otherwise podman and buildah as root, on a base made by debootstrap,
# both kept in build/image.
# PPM_SERVER: the program that computes the expected answers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0 # from there on 1, when something failed
# shellcheck source=/dev/null
. tools/checks.sh

store=$PWD/build/image
if docker info >/dev/null 2>&1; then
    export ENGINE=docker
elif [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || give_up "neither a Docker engine that works nor sudo: cannot build an image here"
    exec sudo --preserve-env=PPM_SERVER,NO_SETUP -- "$PWD/tools/check-image.sh"
else
    export ENGINE=podman
    [ -n "${NO_SETUP:-}" ] || tools/install-packages.sh podman
fi
work=$(mktemp -d)
export IMAGE=ppm-server-check:$$
[ "$ENGINE" = docker ] || IMAGE=localhost/$IMAGE

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    "$ENGINE" rmi --force "$IMAGE" >/dev/null 2>&1 || true
    # left by an interrupted build
    [ "$ENGINE" = docker ] || buildah rm --all >/dev/null 2>&1 || true
    rm -rf "$work"
    # a "make clean" without sudo could not remove it
    [ -z "${SUDO_UID:-}" ] || rm -rf "$store"
}
trap clean_up EXIT

# Separate image storage, and settings that need neither systemd nor cgroups v2.
podman_apart() {
    local driver=overlay
    # overlay does not work on an overlay, as in many containers
    mkdir -p "$store"/try/{lower,upper,work,all}
    unshare --mount mount -t overlay none "$store/try/all" \
        -o "lowerdir=$store/try/lower,upperdir=$store/try/upper,workdir=$store/try/work" 2>/dev/null || driver=vfs
    rm -rf "$store/try"
    export CONTAINERS_STORAGE_CONF=$store/storage.conf CONTAINERS_CONF=$store/containers.conf
    mkdir -p "$store/run"
    printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "%s"\n' "$driver" "$store/storage" "$store/run" \
        >"$CONTAINERS_STORAGE_CONF"
    cat >"$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=32768:32768"]
netns = "host"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
END
}

build() {
    local base=localhost/ppm-debian:bookworm
    if [ "$ENGINE" = docker ]; then
        tools/image-build.sh
        return
    fi
    podman image exists "$base" || tools/image-base.sh "$base"
    BASE=$base ENGINE=buildah BUILDAH_ISOLATION=chroot tools/image-build.sh --pull-never --layers=false
}

echo "the container image, by $("$ENGINE" --version | head -n 1)"
[ "$ENGINE" = docker ] || podman_apart
build >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; give_up "the image does not build"; }
passed "built with the Dockerfile"

tools/check-image-lint.sh || status=1
tools/check-image-files.sh || status=1
if [ "$ENGINE" = docker ]; then
    tools/check-image-run.sh || status=1
else
    # In a separate network, port 8080 is free and nobody else can reach it. crun would use a
    # cgroup hierarchy mounted next to the others, which it must not.
    # shellcheck disable=SC2016 # $0 is the script
    unshare --mount --net bash -c \
        'ip link set lo up && { umount /sys/fs/cgroup/unified 2>/dev/null || true; } && exec "$0"' \
        tools/check-image-run.sh || status=1
fi
finish "the image" "$status"
