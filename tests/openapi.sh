#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tests/openapi.sh
# A live server answers as its GET /openapi.json says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
url='' scratch='' # from there
# shellcheck source=/dev/null
. tests/serving.sh

start_server --allow-shared-memory true --allow-model-control true
allowing=$url
echo 'secret-0123456789abcdef' > "$scratch/keys"
start_server --keys-file "$scratch/keys" --body-max-bytes 100000 --body-timeout-ms 2000 \
    --model configs/models/listing1-pytorch-ppm.json --model configs/models/voc-map.json \
    --model configs/models/two-levels.json --model configs/models/street.json
tests/check_openapi.py "$url" secret-0123456789abcdef "$allowing"
