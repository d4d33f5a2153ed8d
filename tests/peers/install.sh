#!/usr/bin/env bash
# Installs what only the tests need and `make test` would otherwise skip by name: Claude Code and the Anthropic SDKs
# into .peers, servers and load tools from Debian's packages. What is already there is left alone, so a second run is
# quick and needs no network. Run by `make peers`; python3 on PATH is the project's.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
peers=$root/.peers

# The newest release of each major version that the gateway promises to serve.
anthropic_1=1.17.0
anthropic_2=2.12.0

debian() {
    local missing=()
    # command:package; wrk and friends for the load and fault suites, Chromium for the console.
    for pair in redis-server:redis-server wrk:wrk nginx:nginx-light haproxy:haproxy slowhttptest:slowhttptest \
        chromium:chromium openssl:openssl node:nodejs npm:npm perf:linux-perf faketime:faketime; do
        command -v "${pair%%:*}" > /dev/null || [ -x "/usr/sbin/${pair%%:*}" ] || missing+=("${pair#*:}")
    done
    compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || missing+=(postgresql)
    [ ${#missing[@]} -eq 0 ] && return
    local install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
    local as=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2> /dev/null; then
            echo "make peers: these system packages are missing; install them and run it again:" >&2
            echo "    sudo ${install[*]}" >&2
            exit 1
        fi
        as=(sudo)
    fi
    echo "Installing ${missing[*]}"
    # RUNLEVEL=1 keeps the packages from starting their services: the tests run their own, on their own ports.
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "${install[@]}" > /dev/null
}

# The stamp is the list of what was asked for: a changed pin installs again.
npm_packages() {
    local stamp=$peers/package.json
    if ! cmp -s "$here/package.json" "$stamp" || ! [ -d "$peers/node_modules/@anthropic-ai/sdk" ]; then
        echo 'Installing Claude Code and the TypeScript SDK into .peers'
        mkdir -p "$peers"
        rm -rf "$peers/node_modules" "$peers/package-lock.json"
        cp "$here/package.json" "$peers/package.json.new"
        (cd "$peers" && cp package.json.new package.json &&
            npm install --no-audit --no-fund --ignore-scripts --loglevel=error) || { rm -f "$stamp"; exit 1; }
        rm "$peers/package.json.new"
    fi
    # Under an old node, npm may choose another release of the native binary than the one that is pinned.
    local wanted found
    wanted=$(sed -n 's/.*"@anthropic-ai\/claude-code": "\(.*\)".*/\1/p' "$here/package.json")
    found=$("$peers"/node_modules/@anthropic-ai/claude-code-linux-*/claude --version)
    [ "${found%% *}" = "$wanted" ] || { echo "make peers: Claude Code is $found, not $wanted" >&2; exit 1; }
}

# With what its clients for Bedrock and Vertex AI need.
python_sdk() { # MAJOR VERSION
    local venv=$peers/anthropic-$1
    local asked='import anthropic, boto3, google.auth; print(anthropic.__version__)'
    [ "$("$venv/bin/python" -c "$asked" 2> /dev/null)" = "$2" ] && return
    echo "Installing the Python SDK anthropic $2 into .peers"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check install -qq "anthropic[bedrock,vertex]==$2"
}

debian
npm_packages
python_sdk 1 "$anthropic_1"
python_sdk 2 "$anthropic_2"
echo 'The peers are installed.'
