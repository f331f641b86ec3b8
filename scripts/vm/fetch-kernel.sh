#!/bin/sh
# fetch-kernel.sh 6.1|6.12|7.x DIR: Debian's generic kernel of that line into DIR: vmlinuz, initrd, version, root/lib/modules.
# Through an apt configuration of its own, as fetch-libbpf.sh: of the system's apt only the mirror's address is read.
set -eu
kernel=$1
target=$2
here=$(cd "$(dirname "$0")" && pwd)
retry=$here/../retry.sh
case $kernel in
6.1) suite=bookworm ;;
6.12) suite=trixie ;;
7.x) suite=sid ;; # whatever is newest on the day of the download
*)
	echo "KERNEL is 6.1, 6.12 or 7.x, not '$kernel'" >&2
	exit 2
	;;
esac
[ ! -s "$target/initrd" ] || exit 0
mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

fail() {
	echo "the kernel $kernel (linux-image-amd64 of Debian $suite) could not be fetched: $1" >&2
	echo "  -> is a Debian mirror in this machine's apt configuration, and does it have $suite?" >&2
	exit 1
}

# configure_apt MIRROR: an apt that knows nothing but this suite.
configure_apt() {
	rm -rf "$work/apt" && mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
	echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $1 $suite main" >"$work/apt/sources.list"
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
		Acquire::Languages "none";
	CONF
}

depends() {
	apt-cache -c "$work/apt/apt.conf" show --no-all-versions "$1" | sed -n 's/^Depends: //p' | tr ',' '\n' | awk '{ print $1 }'
}

# Newer packages keep image, modules and base apart; in older ones the image holds everything.
download() {
	"$retry" apt-get -c "$work/apt/apt.conf" -qq update || return 1
	image=$(depends linux-image-amd64 | grep -m1 '^linux-image-[0-9]') || return 1
	parts=$(depends "$image" | grep -E '^linux-(base|binary|modules)-[0-9]' || true)
	mkdir -p "$work/deb"
	# shellcheck disable=SC2086 # a list of words
	(cd "$work/deb" && "$retry" apt-get -c "$work/apt/apt.conf" -qq download $image $parts)
}

# What carries the guest from its first process to a root file system: busybox, the drivers of its disks, init.
make_initrd() {
	tree=$work/initramfs
	mkdir -p "$tree/bin" "$tree/modules" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/host" "$tree/overlay" "$tree/root"
	cp "$(command -v busybox)" "$tree/bin/busybox"
	cp "$here/init.sh" "$tree/init"
	chmod +x "$tree/init"
	for module in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
		modprobe -d "$work/root" -S "$version" -C /dev/null --show-depends "$module" 2>/dev/null | awk '$1 == "insmod" { print $2 }'
	done | awk '!seen[$0]++' | while read -r file; do
		name=$(basename "$file" .xz)
		case $file in
		*.xz) xz -dc "$file" >"$tree/modules/$name" ;;
		*) cp "$file" "$tree/modules/$name" ;;
		esac
		echo "$name" >>"$tree/modules/order"
	done
	[ -s "$tree/modules/order" ] || fail 'its packages hold none of the modules that are needed'
	(cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd"
}

# Mirrors of Debian end in /debian/ nearly always.
for mirror in $(apt-get indextargets --no-release-info --format '$(REPO_URI)' | grep '/debian/*$' | sort -u); do
	configure_apt "$mirror"
	download && break
	rm -rf "$work/deb"
done
[ -d "$work/deb" ] || fail 'no mirror has it'

for package in "$work"/deb/*.deb; do dpkg-deb -x "$package" "$work/root"; done
[ -d "$work/root/lib" ] || ln -s usr/lib "$work/root/lib"
version=$(ls "$work/root/lib/modules")
cp "$work/root/boot/vmlinuz-$version" "$work/vmlinuz" 2>/dev/null || cp "$work/root/lib/modules/$version/vmlinuz" "$work/vmlinuz"
depmod -b "$work/root" "$version"
echo "$version" >"$work/version"
make_initrd
rm -rf "$work/apt" "$work/deb" "$work/initramfs" "$work/root/boot" "$work/root/usr/share"
# Whole or not at all; another run may have been quicker.
mv -T "$work" "$target" 2>/dev/null || [ -s "$target/initrd" ]
