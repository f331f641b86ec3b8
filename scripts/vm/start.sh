#!/bin/sh
# In the guest, on the host's root file system: mounts what a machine has, runs the command, reports its exit status, switches off.
# /run/guest is a folder of the host: it holds this file, the command, and what the host says about the kernel.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
. /run/guest/kernel
# Not the host's /tmp: what others have there is of no interest here.
export TMPDIR=/run/tmp
mkdir -m 1777 $TMPDIR
mkdir -p /dev/pts /dev/shm "/lib/modules/$version"
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -sfn /proc/self/fd /dev/fd
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount --bind "$modules" "/lib/modules/$version"
hostname guest
ip link set lo up

for port in /sys/class/virtio-ports/*; do
	[ "$(cat "$port/name")" = output ] && output=/dev/${port##*/}
done
# A port can be opened once only, so a cat holds it, and the command may open its /dev/stderr.
mkfifo /run/output
cat /run/output >"$output" &
writer=$!
setsid sh /run/guest/command </dev/null >/run/output 2>&1
status=$?
# A process left behind keeps the pipe open: the rest of the output has 3 s.
(sleep 3 && kill $writer) 2>/dev/null &
wait $writer 2>/dev/null
echo $status >/run/guest/status.new
mv /run/guest/status.new /run/guest/status
sync -f /run/guest/status
echo o >/proc/sysrq-trigger
sleep 30
