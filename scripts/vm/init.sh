#!/bin/busybox sh
# The guest's first process, in its initramfs. The host's root file system appears read-only, with a layer above it for what
# the guest writes, which is lost with it.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module" || echo "insmod $module failed"; done </modules/order
options=trans=virtio,version=9p2000.L,msize=512000
# cache=loose: the host's files count as unchanging, which starts Node several times faster.
$b mount -t 9p -o "ro,$options,cache=loose" hostroot /host || echo 'no root file system'
$b mount -t tmpfs -o mode=755 tmpfs /overlay
$b mkdir /overlay/upper /overlay/work
$b mount -t overlay -o lowerdir=/host,upperdir=/overlay/upper,workdir=/overlay/work overlay /root
for folder in proc sys dev; do $b mount --move "/$folder" "/root/$folder"; done
$b mount -t tmpfs -o mode=755 tmpfs /root/run
$b mkdir -p /root/run/guest /root/run/lock
$b mount -t 9p -o "$options,cache=none" guest /root/run/guest || echo 'no folder for orders'
exec $b switch_root /root /bin/sh /run/guest/start.sh
