#!/bin/busybox sh
# The guest's first process: this machine's root, with all writes kept in memory, under another kernel; then one command.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /lower /memory /root
for module in virtio_pci virtiofs virtio_blk overlay; do modprobe $module; done
mount -t virtiofs -o ro root /lower || poweroff -f
mount -t tmpfs tmpfs /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/lower,upperdir=/memory/upper,workdir=/memory/work overlay /root || poweroff -f
for place in proc sys dev; do mount --bind /$place /root/$place; done
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
mount -t tmpfs tmpfs /root/run
mkdir -p /root/dev/shm /root/dev/pts
mount -t tmpfs tmpfs /root/dev/shm
mount -t devpts devpts /root/dev/pts
mount -t ext4 /dev/vda /root/mnt
chmod 1777 /root/mnt
ip link set lo up
TMPDIR=/mnt chroot /root /bin/bash -c "$(cat /command)"
echo "exit code $?."
poweroff -f
