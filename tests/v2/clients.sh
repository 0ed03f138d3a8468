#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server [TRITONCLIENT=FOLDER] tests/v2/clients.sh
# The Open Inference Protocol as others speak it: Triton's Python client (the folder that has it as
# "tritonclient", or what sends the same bytes), and malformed requests of every kind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
url='' # from there
# shellcheck source=/dev/null
. tests/serving.sh

models=(--model configs/models/listing1-pytorch-ppm.json --model configs/models/listing3-tf2-pool-block.json
    --model tests/golden/output-argmax/config.json)
start_server "${models[@]}"
refusing=$url
start_server "${models[@]}" --allow-shared-memory true --allow-model-control true \
    --idle-timeout-s 1 --body-max-bytes 10000000
tests/v2/triton.py "$url" "$refusing"
tests/v2/malformed.py "$url"
