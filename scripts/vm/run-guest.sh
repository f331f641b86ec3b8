#!/bin/sh
# run-guest.sh 6.1|6.12|7.x COMMAND: runs a shell command under another kernel, in a qemu guest on this machine's root file system,
# in this folder, as root. Its output and exit status come back; what it writes is lost. 124: time limit (GUEST_SECONDS) over,
# 125: the guest ended without a status. The processor is emulated: /dev/kvm can open and yet not carry a stock kernel.
set -eu
kernel=$1
command=$2
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/turnout/kernels

fail() {
	echo "run-guest: $1" >&2
	exit 2
}
[ "$(id -u)" = 0 ] || fail 'needs root: the guest reads the files of root. Type: sudo make test-vm'
[ "$(uname -m)" = x86_64 ] || fail "guests run this machine's programs on kernels for x86-64; this one is $(uname -m)"
for tool in qemu-system-x86_64 busybox modprobe depmod xz; do
	command -v $tool >/dev/null || fail "$tool is missing. Type: make test-vm, which installs it"
done
# The guest mounts its own file systems there, over the host's.
for folder in "$PWD" "$cache"; do
	case $folder/ in
	/dev/* | /run/* | /proc/* | /sys/*) fail "cannot be seen in a guest below /dev or /run: $folder" ;;
	esac
done

"$here/fetch-kernel.sh" "$kernel" "$cache/$kernel"
version=$(cat "$cache/$kernel/version")
work=$(mktemp -d)
emulator=
printer=
cleanup() {
	for process in $emulator $printer; do kill "$process" 2>/dev/null || true; done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mkdir "$work/guest"
mkfifo "$work/output"
cp "$here/start.sh" "$work/guest/start.sh"
quote() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }
echo "version=$version modules=$(quote "$(realpath "$cache/$kernel")/root/lib/modules/$version")" >"$work/guest/kernel"
{
	echo "export PATH=$(quote "$PATH") HOME=$(quote "${HOME:-/root}")"
	echo "cd $(quote "$PWD") || exit 125"
	printf '%s\n' "$command"
} >"$work/guest/command"

cat "$work/output" &
printer=$!
# An oops ends the guest instead of a test.
options='console=ttyS0 quiet loglevel=4 panic=-1 oops=panic mitigations=off nokaslr no_timer_check tsc=reliable'
options="$options random.trust_cpu=on apparmor=0 audit=0 nowatchdog"
share=security_model=none,multidevs=remap
timeout --kill-after=5 "${GUEST_SECONDS:-1800}" qemu-system-x86_64 \
	-M q35 -accel tcg,thread=multi,tb-size=512 -cpu max -smp 2 -m 2G \
	-nodefaults -no-user-config -display none -no-reboot -nic none \
	-kernel "$cache/$kernel/vmlinuz" -initrd "$cache/$kernel/initrd" -serial "file:$work/console" \
	-append "$options" \
	-fsdev "local,id=root,path=/,readonly=on,$share" -device virtio-9p-pci,fsdev=root,mount_tag=hostroot \
	-fsdev "local,id=guest,path=$work/guest,$share" -device virtio-9p-pci,fsdev=guest,mount_tag=guest \
	-device virtio-serial-pci -chardev "file,id=output,path=$work/output" -device virtserialport,chardev=output,name=output \
	</dev/null >"$work/emulator" 2>&1 &
emulator=$!
ended=0
wait $emulator || ended=$?
emulator=
if [ -f "$work/guest/status" ]; then
	wait $printer || true
	printer=
	exit "$(cat "$work/guest/status")"
fi
{
	cat "$work/emulator"
	[ ! -f "$work/console" ] || tail -n 30 "$work/console"
	[ "$ended" = 124 ] && echo "run-guest: the time limit of ${GUEST_SECONDS:-1800} s is over" && exit 124
	echo "run-guest: the guest ended without a status (qemu: exit $ended)"
} >&2
exit 125
