#!/bin/sh
# Runs the engine of the folder $1 in the foreground, in a mount namespace of its own (`unshare -m --propagation private`): it sees
# the folders named after it at their own paths, so that bind mounts from them work. Its socket is $1/run/docker.sock.
set -eu
W=$1
shift
D=$W/engine
mkdir -p "$W/run" "$D/run-of-engine" "$D/old"
mount --bind "$D" "$D"
mount -t proc proc "$D/proc"
mount --rbind /sys "$D/sys"
mount --rbind /dev "$D/dev"
mount -t tmpfs tmpfs "$D/run"
mount --bind "$W/run" "$D/run-of-engine"
for folder in "$@"; do
  mkdir -p "$D$folder"
  mount --rbind "$folder" "$D$folder"
done
cd "$D"
# Not chroot: containers would start, but exec and health checks would land in the engine's root.
pivot_root . old
umount -l /old
# What the caller keeps its files in is not there any more.
unset TMPDIR
exec dockerd --data-root /data --exec-root /run/dk -p /run-of-engine/pid --storage-driver=overlay2 -H unix:///run-of-engine/docker.sock
