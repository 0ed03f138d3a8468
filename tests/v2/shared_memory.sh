#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server PPM_C_CLIENT=build/ppm_client tests/v2/shared_memory.sh
# The clients in clients/ write the same values with --shared-memory, and leave no object.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
url='' scratch='' # from there
# shellcheck source=/dev/null
. tests/serving.sh

x4=configs/samples/features-4x30x30.npy x3=configs/samples/features-3x30x30.npy
start_server --allow-shared-memory true
"${PPM_SERVER:-build/ppm-server}" run --model configs/models/listing1-pytorch-ppm.json --input "$x4" \
    --output "$scratch/first.npy"
"${PPM_SERVER:-build/ppm-server}" run --model configs/models/listing2-pytorch-psp.json --input "$x3" \
    --output "$scratch/second.npy"

c() { "${PPM_C_CLIENT:-build/ppm_client}" "$@" "$url" --shared-memory; }
python() { clients/ppm_client.py "$@" --url "$url" --shared-memory; }

# refuses CLIENT SENTENCE ARGUMENT...
refuses() {
    if "$1" "${@:3}" 2> "$scratch/said" || ! grep -qF "$2" "$scratch/said"; then
        echo "shared memory: $1 ${*:3} said: $(cat "$scratch/said"), expected: $2"
        exit 1
    fi
}

for client in c python; do
    "$client" "$x4" "$scratch/y1-$client.npy"
    "$client" "$x3" "$scratch/y2-$client.npy" --model listing2-pytorch-psp
    refuses "$client" 'found no model "none"' "$x4" "$scratch/none.npy" --model none
    refuses "$client" 'expected the model' "$x3" "$scratch/none.npy"
done
tests/v2/check_shared.py "$url" "$scratch"
stop_server

start_server
for client in c python; do
    refuses "$client" 'allow_shared_memory' "$x4" "$scratch/none.npy"
done
if compgen -G '/dev/shm/ppm_client_*'; then
    echo 'shared memory: a client left an object'
    exit 1
fi
