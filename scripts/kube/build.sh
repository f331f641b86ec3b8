#!/bin/sh
# build.sh [--print-folder]: kube-apiserver, kube-controller-manager and kube-proxy of the version in go.mod, from the Go module proxy.
# Prints the folder that holds them (--print-folder: does only that): outside the repository, named by version, so that they are
# built once for all checkouts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^.*k8s\.io\/kubernetes \(v[0-9.]*\).*$/\1/p' "$here/go.mod")
needed=$(sed -n 's/^go //p' "$here/go.mod")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/turnout
folder=$cache/kube-$version

if [ "${1:-}" = --print-folder ] || [ -d "$folder" ]; then
	echo "$folder"
	exit 0
fi
mkdir -p "$cache"
# Of two that build at once, one builds.
exec 9>"$cache/kube.lock"
flock 9
if [ -d "$folder" ]; then
	echo "$folder"
	exit 0
fi

go=$("$here/find-go.sh" "$needed")
echo "building Kubernetes $version with $("$go" version): some minutes and about 3 GB of Go's caches, once" >&2
cd "$here"
# Not the machine's GOFLAGS: they are for its own modules. `local`: find-go.sh has chosen.
export GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
"$here/../retry.sh" "$go" mod download >&2

# The folder appears whole or not at all.
new=$folder.new
rm -rf "$new" && mkdir "$new"
stamp=k8s.io/component-base/version
minor=${version#v*.}
nice -n 10 "$go" build -p 2 -trimpath -o "$new/" \
	-ldflags "-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%.*} -X $stamp.gitTreeState=clean" \
	k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kube-proxy >&2
mv "$new" "$folder"
echo "$folder"
