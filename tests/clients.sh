#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server PPM_C_CLIENT=build/ppm_client tests/clients.sh
# Runs the clients in clients/ against a live server, over TCP and a unix socket: they write what
# "ppm-server run" and "label" write, and print the server's error messages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
url='' scratch='' # from there
# shellcheck source=/dev/null
. tests/serving.sh

x4=configs/samples/features-4x30x30.npy x3=configs/samples/features-3x30x30.npy
y=$scratch/y.npy
for list in listing1-pytorch-ppm:$x4 listing2-pytorch-psp:$x3; do
    "${PPM_SERVER:-build/ppm-server}" run --model "configs/models/${list%%:*}.json" --input "${list#*:}" \
        --output "$scratch/${list%%:*}.npy"
done

"${PPM_SERVER:-build/ppm-server}" run --model configs/models/listing1-pytorch-ppm.json --input "$x4" --size 5,31 \
    --output "$scratch/sized.npy"

# client NAME ARGUMENT...: both take the files first, then the server's address, each in its own way.
client() {
    case $1 in
    c) "${PPM_C_CLIENT:-build/ppm_client}" "${@:2}" "$url" ;;
    python) clients/ppm_client.py "${@:2}" --url "$url" ;;
    esac
}

# writes NAME MODEL ARGUMENT...
writes() {
    rm -f "$y"
    client "$1" "${@:3}"
    cmp "$y" "$scratch/$2.npy"
}

# refuses NAME SENTENCE ARGUMENT...
refuses() {
    local status=0
    client "$1" "${@:3}" 2> "$scratch/said" || status=$?
    if [ "$status" -ne 1 ] || ! grep -qF -e "$2" "$scratch/said"; then
        echo "clients: $1 ${*:3}: exit status $status, said: $(cat "$scratch/said"), expected: $2"
        exit 1
    fi
}

start_server --host "unix:$scratch/socket"
for name in c python; do
    writes "$name" listing1-pytorch-ppm "$x4" "$y"
done
stop_server

start_server --allow-shared-memory true --model configs/models/two-levels.json \
    --model configs/models/listing1-pytorch-ppm.json
/usr/bin/python3 -c '
import sys
sys.path.insert(0, "clients")
import numpy as np
import ppm_client
kind, pieces = ppm_client.safetensors_of(dict(fine=np.load(sys.argv[1]), coarse=np.load(sys.argv[2])))
open(sys.argv[3], "wb").write(b"".join(pieces))' "$x4" "$x3" "$scratch/two.safetensors"
cp "$x4" "$scratch/wrong.safetensors"
several=$url x34="fine=$x4 coarse=$x3"
"${PPM_SERVER:-build/ppm-server}" run --model configs/models/two-levels.json --input "fine=$x4" \
    --input "coarse=$x3" --output "$scratch/two-levels.npy"
for more in "" --shared-memory; do
    # shellcheck disable=SC2086 # words
    writes python two-levels $x34 "$y" $more
done
for name in c python; do # whose .npy have heads of their own
    client "$name" "$x4" "$y" --model listing1-pytorch-ppm --size 5,31 --shared-memory
    cmp <(tail -c "$((12 * 5 * 31 * 4))" "$y") <(tail -c "$((12 * 5 * 31 * 4))" "$scratch/sized.npy")
done
writes c two-levels "$scratch/two.safetensors" "$y"
refuses c 'found a NumPy .npy file' "$scratch/wrong.safetensors" "$y"
refuses python 'expected NAME=X.npy for each input' "fine=$x4" "$x3" "$y"
start_server
for name in c python; do
    writes "$name" listing1-pytorch-ppm "$x4" "$y"
    writes "$name" listing2-pytorch-psp "$x3" "$y" --model listing2-pytorch-psp
    refuses "$name" 'found no model "none", expected one of: listing1-pytorch-ppm' "$x4" "$y" --model none
    refuses "$name" 'takes 4 (status 422)' "$x3" "$y"
    writes "$name" sized "$x4" "$y" --size 5,31
    refuses "$name" 'expected' "$x4" "$y" --size 5x31
    refuses "$name" 'No such file' "$scratch/none.npy" "$y"
done
photo=$scratch/photo.jpg # a small one, which a server under an emulator labels in a second
/usr/bin/python3 - "$photo" <<'END'
import sys
from PIL import Image
Image.open("configs/samples/street.jpg").reduce(4).save(sys.argv[1], quality=95)
END
for answer in labels.png classes.json y.npy overlay.png overlay.jpg overlay.JPEG; do
    more=() && [[ $answer != overlay.* ]] || more=(--overlay 0.3)
    "${PPM_SERVER:-build/ppm-server}" label --model configs/models/street.json "$photo" "$scratch/$answer" "${more[@]}"
    for name in c python; do
        client "$name" "$photo" "$scratch/again-$answer" --model street "${more[@]}"
        cmp "$scratch/$answer" "$scratch/again-$answer"
    done
done
for name in c python; do
    for opacity in .3 3e-1; do
        client "$name" "$photo" "$scratch/again-overlay.png" --model street --overlay "$opacity"
        cmp "$scratch/overlay.png" "$scratch/again-overlay.png"
    done
    client "$name" "$photo" "$scratch/again.npy" --model street --size 5,31
    [ "$(wc -c < "$scratch/again.npy")" -eq $((128 + 4 * 5 * 31)) ]
    refuses "$name" 'a tensor of 4 channels' "$photo" "$scratch/none.png" --model listing1-pytorch-ppm
    refuses "$name" 'overlay' "$photo" "$scratch/none.png" --model street --overlay 7
    refuses "$name" 'overlay' "$photo" "$scratch/none.png" --model street --overlay x
    refuses "$name" 'overlay' "$photo" "$scratch/none.png" --model street --overlay ''
    refuses "$name" 'size: found ' "$photo" "$scratch/none.png" --model street --size ''
    refuses "$name" 'none.gif: expected .png, .jpg, .jpeg, .json, .npy' "$photo" "$scratch/none.gif" --model street
    refuses "$name" 'overlay' "$photo" "$scratch/none.png" --model street --overlay 0.5 --size 5,31
    refuses "$name" '--size' "$photo" "$scratch/none.png" --model street --size 'a&b'
done
refuses python 'expected no --shared-memory' "$photo" "$scratch/none.png" --model street --shared-memory
refuses c 'x, with --shared-memory, is not a .npy' "$photo" "$scratch/none.png" --model street --shared-memory
refuses python 'expected one .jpg' "$x4" "$scratch/none.png" --overlay 0.5
refuses c 'expected H,W' "$x4" "$y" --size $'5,31 HTTP/1.1\r\nX: y'
[ ! -e "$scratch/none.png" ] && [ ! -e "$scratch/none.gif" ]
tests/check_client.py "$url" "$several"
tests/check_c_client.py "${PPM_C_CLIENT:-build/ppm_client}"
stop_server
for name in c python; do
    refuses "$name" 'Connection refused' "$x4" "$y"
done
echo "clients: the clients in C and Python write what the program writes"
