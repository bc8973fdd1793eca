#!/bin/sh
# Sets up the clients that tests run: ClickHouse's official ones for Node and Python,
# schemathesis, which tries what the OpenAPI document promises, and TextBlob with labelled
# sentences (they come with a Node package), which sentiment is measured against. Each has a folder of the
# cache that is named by its lock; the second run finds them there and does nothing.
#
#   setup.sh                 sets up what is missing
#   setup.sh --where CLIENT  prints the folder of `node`, `python` or `schemathesis`
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/snag/clients"

# A folder's name says what is in it, so that a changed lock is a new folder.
folder() {
    case $1 in
    node) sum=$(cat "$here/node/package.json" "$here/node/package-lock.json" | sha256sum) ;;
    python | schemathesis | textblob) sum=$({ cat "$here/$1/requirements.txt" && python3 -c 'import sys; print(sys.version)'; } | sha256sum) ;;
    *) echo "setup.sh: there is no client $1" >&2 && exit 2 ;;
    esac
    printf '%s/%s-%.16s\n' "$cache" "$1" "$sum"
}

# `.complete` comes last: a folder without it is begun again. (A virtual environment knows
# its own path, so that it can not be filled elsewhere and moved.)
install() {
    to=$(folder "$1")
    [ -e "$to/.complete" ] && return
    echo "setting up the $1 client in $to"
    rm -rf "$to"
    mkdir -p "$to"
    case $1 in
    node)
        cp "$here/node/package.json" "$here/node/package-lock.json" "$to/"
        (cd "$to" && npm ci --silent --no-audit --no-fund --ignore-scripts)
        ;;
    python | schemathesis | textblob)
        python3 -m venv "$to/venv"
        "$to/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
            -r "$here/$1/requirements.txt"
        ;;
    esac
    touch "$to/.complete"
}

if [ "${1:-}" = --where ]; then
    folder "${2:?}"
    exit
fi

mkdir -p "$cache"
# Two at once would be in each other's way.
exec 9>"$cache/.lock"
if command -v flock >/dev/null; then flock 9; fi
install node
install python
install schemathesis
install textblob
