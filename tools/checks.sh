# shellcheck shell=bash
# For scripts that check one thing after another: prints a line for each, and sets status=1 if one fails.

passed() { echo "  ok    $*"; }
failed() {
    echo "  FAIL  $*"
    # shellcheck disable=SC2034 # the caller reads it
    status=1
}
left_out() { echo "  --    $*"; }

# expect WHAT FOUND EXPECTED
expect() {
    if [ "$2" = "$3" ]; then passed "$1: $2"; else failed "$1: found \"$2\", expected \"$3\""; fi
}

# holds WHAT COMMAND...: the command succeeds
holds() {
    local what=$1
    shift
    if "$@"; then passed "$what"; else failed "$what"; fi
}

give_up() {
    echo "  FAIL  $*"
    exit 1
}

# finish WHAT STATUS
finish() {
    [ "$2" = 0 ] || { echo "$1: something failed" >&2; exit 1; }
    echo "$1: all checks passed"
}
