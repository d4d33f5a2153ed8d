#!/bin/sh
# Finds a Python that can build and run fastgate and prints its path on standard output. When something is missing it
# says what, with the exact apt-get line, on standard error, and exits 1. Changes nothing.
#
#   scripts/preflight.sh [python]      the interpreter to judge; default: python3, then newer names of it
set -u

usable='import sys; sys.exit(sys.version_info < (3, 11))'
wanted=${1:-}
python=
for candidate in ${wanted:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$usable" 2>/dev/null; then
        python=$(command -v "$candidate")
        break
    fi
done

# Debian names its packages after the interpreter: python3-venv, or python3.12-venv for another one.
package_prefix() {
    case "$1" in python3 | python3.[0-9]*) echo "$1" ;; *) echo python3 ;; esac
}

missing=
packages=
need() {    # need WHAT PACKAGE...
    missing="$missing
  - $1"
    shift
    for package in "$@"; do
        case " $packages " in *" $package "*) ;; *) packages="$packages $package" ;; esac
    done
}

if [ -z "$python" ]; then
    if [ -n "$wanted" ]; then
        name=$(package_prefix "$(basename "$wanted")")
    elif command -v python3 >/dev/null 2>&1; then
        name=python3.11    # the system's own python3 is too old; a newer one installs beside it
    else
        name=python3
    fi
    need "Python 3.11 or newer" "$name" "$name-venv" "$name-dev"
    compiler=${CC:-gcc}
    command -v "${compiler%% *}" >/dev/null 2>&1 || need "a C compiler ($compiler)" build-essential
else
    name=$(package_prefix "$(basename "$python")")
    "$python" -c 'import venv, ensurepip' 2>/dev/null || need "Python's venv module" "$name-venv"
    compiler=${CC:-$("$python" -c 'import sysconfig; print((sysconfig.get_config_var("CC") or "gcc").split()[0])')}
    include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    # $CC may be a command with words after it: a compiler cache, a flag.
    if ! command -v "${compiler%% *}" >/dev/null 2>&1; then
        need "a C compiler ($compiler)" build-essential
    elif ! printf '#include <stdio.h>\n' | $compiler -fsyntax-only -x c - 2>/dev/null; then
        need "the C library's headers (stdio.h)" build-essential
    fi
    [ -e "$include/Python.h" ] || need "Python's headers ($include/Python.h)" "$name-dev"
fi

if [ -n "$missing" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo='sudo '
    {
        echo "fastgate cannot be built here yet; this machine lacks:$missing"
        echo
        echo "Install it, then run make again:"
        echo
        echo "    ${sudo}apt-get install -y$packages"
        echo
    } >&2
    exit 1
fi
echo "$python"
