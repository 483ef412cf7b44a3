#!/bin/bash
# The first process of a machine: its own home, boot id, name and network; then sshd, until standard input ends.
set -eu
folder=$1 address=$2 name=$3 home=$4
mount --make-rprivate /
mount --bind "$folder/boot_id" /proc/sys/kernel/random/boot_id
if [[ $home == *.img ]]; then mount -o loop "$home" /root; else mount --bind "$home" /root; fi
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -p /run/sshd
hostname "$name"
read -r _
ip link set lo up
ip addr add "$address/24" dev eth0
ip link set eth0 up
ip route add default via "${address%.*}.1"
cd /
/usr/sbin/sshd -f "$folder/sshd_config" -E "$folder/sshd.log"
until (exec 3<>/dev/tcp/127.0.0.1/22) 2>/dev/null; do sleep 0.01; done
echo up
# Nobody writes: the end of the test process, even by kill -9, ends this, and all that runs here with it.
read -r _ || true
