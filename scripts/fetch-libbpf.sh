#!/bin/sh
# fetch-libbpf.sh DIR: libbpf's sources (src/, include/), one pinned version checked by sha256, into DIR.
# From Debian's source package, through an apt configuration of its own: of the system's apt only the mirror's address is read.
set -eu
VERSION=1.5.0
DEBIAN_VERSION=1.5.0-3
SHA256=53492aff6dd47e4da04ef5e672d753b9743848bdb38e9d90eafbe190b7983c44
SUITE=trixie

target=$1
scripts=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

fail() {
	echo "libbpf $VERSION could not be fetched: $1" >&2
	echo "  -> get libbpf_$VERSION.orig.tar.gz (sha256 $SHA256) and type: make deps LIBBPF_TARBALL=/path/to/it" >&2
	exit 1
}

# DIR appears whole or not at all.
unpack() {
	echo "$SHA256  $1" | sha256sum --check --quiet - || fail "$1 has another checksum than the pinned one"
	rm -rf "$target" "$target.new"
	mkdir -p "$target.new"
	tar -xzf "$1" -C "$target.new" --strip-components=1
	echo "$VERSION $SHA256" >"$target.new/.fetched"
	mv "$target.new" "$target"
	exit 0
}

# apt_source MIRROR: downloads the source package into $work.
apt_source() {
	rm -rf "$work/apt" && mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $1 $SUITE main" >"$work/apt/sources.list"
	# The clear lines keep the hooks of the machine's apt (cleaners, caches) away: they know nothing of this one's folders.
	cat >"$work/apt/apt.conf" <<-CONF
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Post-Invoke;
		Dir::State::Lists "$work/apt/lists";
		Dir::Cache "$work/apt/cache";
		Dir::Etc::SourceList "$work/apt/sources.list";
		Dir::Etc::SourceParts "-";
		APT::Sandbox::User "root";
		APT::Update::Error-Mode "any";
	CONF
	apt="apt-get -c $work/apt/apt.conf -qq"
	(cd "$work" && "$scripts/retry.sh" $apt update && "$scripts/retry.sh" $apt source --download-only "libbpf=$DEBIAN_VERSION")
}

[ -z "${LIBBPF_TARBALL:-}" ] || unpack "$LIBBPF_TARBALL"
command -v apt-get >/dev/null || fail "there is no apt-get here"
# Debian mirrors end in /debian/ nearly always; that of security fixes has no trixie of this name.
for mirror in $(apt-get indextargets --no-release-info --format '$(REPO_URI)' | grep '/debian/*$' | sort -u); do
	apt_source "$mirror" && unpack "$work/libbpf_$VERSION.orig.tar.gz"
done
fail "no Debian mirror of this machine's apt has libbpf $DEBIAN_VERSION of $SUITE"
