#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tests/completion.sh
# The completion for bash, called as bash calls it, offers the words of the program's --help.
set -uo pipefail # without -e, like interactive shells
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
# shellcheck source=/dev/null
. deploy/ppm-server.bash
server=${PPM_SERVER:-build/ppm-server}
complete -p ppm-server >/dev/null || exit

count=0 failed=0

# offers EXPECTED WORD...: the completions of the last word, sorted and one per line, are EXPECTED.
offers() {
    local expected=$1 found
    shift
    COMP_WORDS=(ppm-server "$@")
    COMP_CWORD=$#
    _ppm_server "$server" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    found=$(printf '%s\n' "${COMPREPLY[@]}" | sort | xargs)
    count=$((count + 1))
    [ "$found" = "$expected" ] && return
    echo "completion: ppm-server $*: found \"$found\", expected \"$expected\""
    failed=$((failed + 1))
}

# The flags that a command's --help lists.
flags() {
    { echo --help; "$server" "$1" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p'; } | sort | xargs
}

offers '--help --version bench describe health label run serve' ''
offers 'serve' se
offers '' x
for command in serve run describe bench health; do
    offers "$(flags $command)" $command ''
done
offers "$(flags label)" label -
offers 'configs/samples/street.jpg' label --model = x.json configs/samples/str
offers 'configs/samples/street.jpg' label --json configs/samples/str
offers 'configs/server.json' label configs/samples/street.jpg configs/server
offers 'configs/models/street.json' label a.jpg --model configs/models/street.j
offers '' label --overlay ''
offers '--log-format --log-level --log-slow-ms' serve --log-
offers '--pool-on-arrival-bytes --port' serve --check-config --po
offers 'debug error info warn' serve --log-level ''
offers 'debug' serve --log-level d
offers 'info' serve --log-level = i
offers 'debug error info warn' serve --log-level =
offers 'NCHW NHWC' run --layout ''
offers 'false true' serve --allow-model-control ''
offers '' serve --port ''
offers '' serve --host ''
offers '' bench --shape ''
offers '' frobnicate ''
offers '' --help ''
offers 'configs/models configs/samples configs/server.json' serve --config configs/
offers 'configs/models/listing1-pytorch-ppm.json' serve --model configs/models/listing1
offers 'configs/models/fast-scnn.json' describe --model = configs/models/fast
offers 'configs/samples/features-3x30x30.npy configs/samples/features-4x30x30.npy' run --input configs/samples/
offers 'configs/models/fast-scnn.json' serve --model a.json configs/models/street.json configs/models/fast
offers '--port' serve --model a.json --por
offers "$(flags serve)" serve --port 1 ''
offers '' describe --model a.json configs/models/fast
offers 'LICENSE' serve --keys-file LIC

[ "$failed" -eq 0 ] || exit 1
echo "completion: $count words are completed as expected"
