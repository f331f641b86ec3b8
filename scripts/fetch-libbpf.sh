#!/bin/sh
# fetch-libbpf.sh DIR: libbpf's sources, one pinned version checked by sha256, into DIR (src/ and include/).
# From Debian's source package, through an apt of its own: nothing of the system's apt is read but its mirror, or changed.
set -eu
VERSION=1.5.0
DEBIAN_VERSION=1.5.0-3
SHA256=53492aff6dd47e4da04ef5e672d753b9743848bdb38e9d90eafbe190b7983c44
SUITE=trixie

target=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

fail() {
	echo "libbpf $VERSION could not be fetched: $1" >&2
	echo "  -> put libbpf_$VERSION.orig.tar.gz (sha256 $SHA256) somewhere and type: make deps LIBBPF_TARBALL=/path/to/it" >&2
	exit 1
}

unpack() {
	echo "$SHA256  $1" | sha256sum --check --quiet - || fail "$1 has another checksum than the pinned one"
	rm -rf "$target"
	mkdir -p "$target"
	tar -xzf "$1" -C "$target" --strip-components=1
	echo "$VERSION $SHA256" >"$target/.fetched"
}

if [ -n "${LIBBPF_TARBALL:-}" ]; then
	unpack "$LIBBPF_TARBALL"
	exit 0
fi
command -v apt-get >/dev/null || fail "there is no apt-get here"
mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' 2>/dev/null | grep -v security | sort -u | head -n 1)
[ -n "$mirror" ] || fail "apt knows no Debian mirror (apt-get update?)"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb-src [signed-by=$keyring] $mirror $SUITE main" >"$work/sources.list"
# The clear lines keep hooks of the machine's apt (cache cleaners) away from its real cache.
cat >"$work/apt.conf" <<CONF
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::State::Lists "$work/lists";
Dir::Cache "$work/cache";
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "-";
APT::Sandbox::User "root";
CONF
cd "$work"
"$here/retry.sh" apt-get -c "$work/apt.conf" -qq update || fail "the mirror has no index of $SUITE"
"$here/retry.sh" apt-get -c "$work/apt.conf" -qq source --download-only "libbpf=$DEBIAN_VERSION" >/dev/null || fail "the mirror has no libbpf $DEBIAN_VERSION"
unpack "$work/libbpf_$VERSION.orig.tar.gz"
