#!/bin/sh
# find-go.sh VERSION: prints the path of a go command of at least that version: the one in PATH, or else its toolchain from the Go
# module proxy, fetched by whatever go there is, which apt brings where there is none.
set -eu
needed=$1
scripts=$(cd "$(dirname "$0")/.." && pwd)

version_of() { "$1" env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//'; }
is_new_enough() { [ "$(printf '%s\n%s\n' "$needed" "$(version_of "$1")" | sort -V | head -n 1)" = "$needed" ]; }

export GOTOOLCHAIN=local
for go in "${GO:-go}" /usr/local/go/bin/go /usr/lib/go/bin/go; do
	if command -v "$go" >/dev/null && is_new_enough "$go"; then
		command -v "$go"
		exit 0
	fi
done

go=${GO:-go}
command -v "$go" >/dev/null || "$scripts/install-packages.sh" golang-go >&2
case $(uname -m) in
x86_64) machine=amd64 ;;
aarch64) machine=arm64 ;;
*) machine=$(uname -m) ;;
esac
module=golang.org/toolchain@v0.0.1-go$needed.linux-$machine
echo "go $(version_of "$go") is older than $needed; fetching $module" >&2
# As a plain module, which a go that knows nothing of toolchains can do too. What may be executed is not kept in modules.
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
if ! (cd "$empty" && GOFLAGS='' "$scripts/retry.sh" "$go" mod download "$module") >&2; then
	echo "there is no go $needed or newer, and the Go module proxy gave none" >&2
	echo "  -> install Go $needed or newer and put it into PATH, or name it: make test-cluster GO=/path/to/go" >&2
	exit 1
fi
root=$("$go" env GOMODCACHE)/$module
chmod -R u+w "$root/bin" "$root/pkg/tool"
chmod -R a+x "$root/bin" "$root/pkg/tool"
echo "$root/bin/go"
