#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tests/v2/clients.sh
# The Open Inference Protocol as Triton's clients speak it, and malformed requests of every kind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
url='' # from there
# shellcheck source=/dev/null
. tests/serving.sh

start_server --model configs/models/listing1-pytorch-ppm.json \
    --model configs/models/listing3-tf2-pool-block.json --model tests/golden/output-argmax/config.json \
    --allow-shared-memory true --allow-model-control true --body-max-bytes 10000000
tests/v2/replay.py "$url"
tests/v2/malformed.py "$url"
