#!/usr/bin/env bash
# Fetches the embedded ClickHouse library that package-lock.json pins, into
# ${XDG_CACHE_HOME:-~/.cache}/snag/engine/<version>/libchdb.so, where the server looks for it.
# npm checks the package against the checksum in the lock. A second run does nothing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/.*"@chdb\/lib-linux-x64-gnu": "\([0-9.]*\)-.*/\1/p' "$here/package.json" | head -n 1)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/snag/engine
folder=$cache/$version
library=$folder/libchdb.so
stamp=$folder/lock.sum

# The lock's own checksum and the library's size: a cut download or another lock is fetched again.
stamp_of() { printf '%s %s\n' "$(cksum <"$here/package-lock.json")" "$(wc -c <"$1")"; }
if [[ -f $library && -f $stamp && $(cat "$stamp") == "$(stamp_of "$library")" ]]; then
    exit 0
fi

mkdir -p "$folder"
exec 9>"$cache/.lock"
if command -v flock >/dev/null; then flock 9; fi
if [[ -f $library && -f $stamp && $(cat "$stamp") == "$(stamp_of "$library")" ]]; then
    exit 0 # another run fetched it while this one waited
fi

echo "fetching the embedded ClickHouse library $version (some 180 MB, once)" >&2
work=$(mktemp -d "$cache/.fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$here/package.json" "$here/package-lock.json" "$work/"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
shopt -s nullglob
found=("$work"/node_modules/@chdb/lib-*/libchdb.so)
if ((${#found[@]} != 1)); then
    echo "package-lock.json pins no ClickHouse library for $(uname -s) $(uname -m): add @chdb/lib-<system> to" \
        "package.json's optionalDependencies, run npm install --package-lock-only and review the checksum" >&2
    exit 1
fi
# Moved within one file system, so that nobody ever sees half of it.
rm -f "$stamp"
mv -f "${found[0]}" "$library"
stamp_of "$library" >"$stamp"
echo "$library" >&2
