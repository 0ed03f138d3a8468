#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tests/security.sh
# SECURITY.md has the program's limits.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

"${PPM_SERVER:-build/ppm-server}" serve --print-config | tests/check_security.py SECURITY.md
