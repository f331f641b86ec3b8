#!/bin/sh
# install-packages.sh PACKAGE...: Debian packages that are missing, and only those.
set -eu
missing=
for package in "$@"; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "missing:$missing; this is no Debian, so install their like by hand" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "missing system packages; type: sudo apt-get install -y$missing" >&2
	exit 1
fi
here=$(cd "$(dirname "$0")" && pwd)
echo "  apt-get install$missing"
export DEBIAN_FRONTEND=noninteractive
# Wait for another apt instead of failing beside it.
"$here/retry.sh" apt-get -qq -o DPkg::Lock::Timeout=300 update
# shellcheck disable=SC2086
"$here/retry.sh" apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing >/dev/null
