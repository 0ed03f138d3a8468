# Completion of ppm-server for bash. Commands, flags and values come from the program's --help.
# shellcheck shell=bash

# _ppm_server_files WORD PATTERN: files that match the pattern, and folders.
_ppm_server_files() {
    compopt -o filenames 2>/dev/null # outside of a completion, as in a test, it fails
    mapfile -t COMPREPLY < <({ compgen -d -- "$1"; compgen -f -X "!$2" -- "$1"; } | sort -u)
}

_ppm_server() {
    local program=${1/#\~\//$HOME/} word=$2 flag=$3 help value
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        help=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$help --help --version" -- "$word")
        return
    fi

    # bash splits "--flag=value" into three words.
    if [ "$word" = = ]; then
        word=''
    elif [ "$flag" = = ]; then
        flag=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    # --model of serve takes several files: the flag stands before the words that are none.
    if [ "${COMP_WORDS[1]}" = serve ] && [[ $flag != -* && $word != -* ]]; then
        value=$((COMP_CWORD - 1))
        while [ "$value" -gt 1 ] && [[ ${COMP_WORDS[value]} != -* ]]; do value=$((value - 1)); done
        [ "${COMP_WORDS[value]}" != --model ] || flag=--model
    fi
    case ${COMP_WORDS[1]} in
    [a-z]*) help=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null) || return ;;
    *) return ;;
    esac
    value=
    case $flag in
    *[!a-z-]*) ;;
    --?*) value=$(sed -n "s/^  $flag \([^ ]\{1,\}\) .*/\1/p" <<<"$help") ;;
    esac

    case $flag:$value in
    --input:*) _ppm_server_files "$word" '*.npy' ;;
    --model:* | --config:*) _ppm_server_files "$word" '*.json' ;;
    *:FILE) _ppm_server_files "$word" '*' ;;
    *:*:*) ;; # "H|unix:PATH"
    *:*'|'*) mapfile -t COMPREPLY < <(compgen -W "${value//|/ }" -- "$word") ;;
    *:) # a switch stands before, a word, or nothing
        if [[ $word != -* ]] && grep -q '^  [A-Z]' <<<"$help"; then # the command takes files
            _ppm_server_files "$word" '*'
            return
        fi
        value=$(sed -n 's/^  \(--[a-z-]\{1,\}\) .*/\1/p' <<<"$help")
        mapfile -t COMPREPLY < <(compgen -W "$value --help" -- "$word")
        ;;
    esac
}
complete -F _ppm_server ppm-server
