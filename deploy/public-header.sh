#!/usr/bin/env bash
# usage: deploy/public-header.sh > build/ppm.h     by "make lib"
# Writes core/ppm.h as programs around libppm include it: one file, which includes the C library's only. The
# headers of core/ that it includes are copied into it, except those of core/base/, which are the project's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

awk '
    function copy(file, line) {
        while ((getline line < file) > 0) {
            if (line !~ /^#include "/)
                print line
            else if (line !~ /"core\/(base\/|ppm\.h")/) {
                gsub(/^#include "|".*$/, "", line)
                copy(line)
            }
        }
        close(file)
    }
    BEGIN { copy("core/ppm.h") }' | cat --squeeze-blank
