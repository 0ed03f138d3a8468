#!/usr/bin/env bash
# usage: deploy/manual.sh build/ppm-server > build/ppm-server.1     by "make man"
# Fills docs/ppm-server.1.in with the version, the date, and the commands and settings of the program's
# --help. The program may be several words: an emulator and the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export OMP_WAIT_POLICY=passive # else the program begins again to set how long it spins

program=("$@")
version=$(<VERSION)
date=$(sed -n "s/^## \[$version\] - \([0-9-]*\)$/\1/p" CHANGELOG.md)
[ -n "$date" ] || { echo "manual.sh: CHANGELOG.md has no line \"## [$version] - DATE\"" >&2; exit 1; }

# Prints as roff the settings, or the other flags and words, in a command's --help on stdin, whose lines look like
# "  --flag VALUE  what it is [default; bounds]".
flags() {
    # Lines that go on with the one before become part of it.
    sed -e :a -e '$!N' -e 's/\n \{20,\}/ /' -e ta -e P -e D | awk -v wanted="$1" '
        function escape(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); return text }
        function print_text(text,   words, count, i, line) {
            count = split(text, words, " ")
            for (i = 1; i <= count; i++) {
                if (length(line words[i]) > 70) { print line; line = "" }
                line = line (line == "" ? (words[i] ~ /^[.\x27]/ ? "\\&" : "") : " ") escape(words[i])
            }
            print line
        }
        /^usage:/ { is_serve = $3 == "serve" }
        is_serve && wanted == "settings" && /^[A-Z].*:$/ { print ".SS " escape(substr($0, 1, length($0) - 1)) }
        !/^  (--|[A-Z])/ { next }
        {
            help = substr($0, 3); flag = help; sub(/ .*/, "", flag); sub(/^[^ ]+/, "", help)
            value = ""
            if (help ~ /^ [^ ]/) { value = $2; help = substr(help, length(value) + 2) }
            sub(/^ +/, "", help)
            standard = ""
            if (match(help, / \[[^]]*\]$/)) {
                standard = substr(help, RSTART + 2, RLENGTH - 3)
                help = substr(help, 1, RSTART - 1)
                sub(/; /, ", from ", standard)
            }
            is_setting = is_serve && standard != ""
            if (is_setting != (wanted == "settings")) next
            print ".TP"
            print value == "" ? ".B " escape(flag) : ".BI " escape(flag) " \" " escape(value) "\""
            print_text(help)
            if (standard != "") { print ".br"; print_text("Default: " standard ".") }
            if (is_setting) {
                key = flag == "--model" ? "models" : substr(flag, 3); gsub(/-/, "_", key)
                print ".br"
                print "Key \\fI" key "\\fP,\nvariable \\fIPPM_" toupper(key) "\\fP."
            }
        }'
}

commands() {
    local command summary help
    "${program[@]}" --help | sed -n 's/^  \([a-z]\{1,\}\)  *\(.*\)/\1 \2/p' |
        while read -r command summary; do
            help=$("${program[@]}" "$command" --help </dev/null)
            printf '.SS %s\n%s.\n' "$command" "${summary^}" | sed 's/-/\\-/g'
            flags others <<<"$help"
            printf '.PP\nExample:\n.PP\n.EX\n'
            sed -n 's/^example: //p' <<<"$help" | sed -e '/.\{76\}/s/ --/ \\e\n    --/2g' -e 's/-/\\-/g'
            echo '.EE'
        done
}

while IFS= read -r line; do
    case $line in
    @COMMANDS@) commands ;;
    @SETTINGS@) "${program[@]}" serve --help | flags settings ;;
    *)
        line=${line//@VERSION@/$version}
        printf '%s\n' "${line//@DATE@/$date}"
        ;;
    esac
done <docs/ppm-server.1.in
