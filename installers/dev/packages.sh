#!/usr/bin/env bash
# Installs the Debian packages that building, running or testing needs, and only
# those that are missing, so that a second call costs a tenth of a second.
set -euo pipefail

# Compiling: C parts of crates, X11 for input capture, the app's web view; the icon's library is loaded at run time.
run=(build-essential pkg-config ca-certificates curl
    libx11-dev libxtst-dev libxi-dev libxcb1-dev
    libwebkit2gtk-4.1-dev libayatana-appindicator3-1)
# Testing: a display, a window manager, real programs, the bus, ClickHouse's clients; for the app a tray,
# notifications and a driver of web views.
test=("${run[@]}" xvfb xauth x11-utils x11-xkb-utils xdotool openbox dbus at-spi2-core procps
    tint2 dunst libnotify-bin webkit2gtk-driver imagemagick
    python3 python3-venv python3-gi gir1.2-gtk-3.0 gir1.2-atspi-2.0 prometheus redis-server)

case "${1:-}" in
run) wanted=("${run[@]}") ;;
test) wanted=("${test[@]}") ;;
*)
    echo "usage: $0 run|test" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "This isn't a Debian system: install the likes of ${wanted[*]} yourself." >&2
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [[ $state == "install ok installed" ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || {
        echo "Missing packages: ${missing[*]}. Install them as root, then call this again." >&2
        exit 1
    }
    as_root=(sudo)
fi
echo "Installing ${missing[*]}"
# The prometheus package would start its server; only its promtool is wanted here.
policy=/usr/sbin/policy-rc.d
placed=
if [[ ! -e $policy && $(id -u) -eq 0 ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && placed=1
fi
trap '[[ -z $placed ]] || rm -f "$policy"' EXIT
"${as_root[@]}" apt-get update -qq </dev/null
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" </dev/null >/dev/null
