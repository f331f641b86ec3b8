#!/bin/sh
# install-packages.sh PACKAGE...: Debian packages that are missing, and only those.
set -eu
missing() {
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || printf ' %s' "$package"
	done
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "this is no Debian (no apt-get). Install the like of these by hand: $*" >&2
	echo "  -> then type: mkdir -p build && touch build/.packages && make build CLANG=clang" >&2
	exit 1
fi
absent=$(missing "$@")
[ -n "$absent" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "system packages are missing. Type: sudo apt-get update && sudo apt-get install -y$absent" >&2
	exit 1
fi

scripts=$(cd "$(dirname "$0")" && pwd)
# Two checkouts that set up at once take turns; an apt of somebody else is waited for.
exec 9>/run/lock/turnout-apt.lock
flock 9
absent=$(missing "$@")
[ -n "$absent" ] || exit 0
echo "  APT      install$absent"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt="apt-get -qq -o DPkg::Lock::Timeout=300"
# shellcheck disable=SC2086 # lists of words
if ! { "$scripts/retry.sh" $apt update && "$scripts/retry.sh" $apt -y install --no-install-recommends $absent; } >"$log" 2>&1; then
	tail -n 30 "$log" >&2
	echo "!! apt could not install them. Type: apt-get update && apt-get install -y$absent" >&2
	exit 1
fi
