#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tests/v1/malformed.sh
# Malformed requests of every kind of TensorFlow Serving's protocol, and images of both inference protocols.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
url='' # from there
# shellcheck source=/dev/null
. tests/serving.sh

start_server --model configs/models/listing1-pytorch-ppm.json --model configs/models/street.json \
    --body-max-bytes 10000000
tests/v1/malformed.py "$url"
