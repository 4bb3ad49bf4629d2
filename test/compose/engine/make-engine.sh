#!/bin/sh
# Makes, in the folder $1, what it takes to run a current Docker engine on a bare Debian machine (root): the bases of the stand-in
# images, an engine of Debian's testing suite in a root folder, and its client plugins. Takes a minute; a finished folder is kept.
set -eu
W=$1
[ ! -e "$W/made" ] || exit 0
say() { echo "compose test: $*" >&2; }
mkdir -p "$W"
cd "$W"
say 'installing debootstrap and the docker client with apt-get'
export DEBIAN_FRONTEND=noninteractive
command -v debootstrap >/dev/null && command -v docker >/dev/null && command -v iptables >/dev/null || {
  apt-get update -qq
  # A package's service must not start here: the engine is ours.
  printf '#!/bin/sh\nexit 101\n' >"$W/policy-rc.d"
  [ -e /usr/sbin/policy-rc.d ] || { install -m 755 "$W/policy-rc.d" /usr/sbin/policy-rc.d; ours=1; }
  apt-get install -y -qq --no-install-recommends debootstrap docker.io iptables >/dev/null
  [ -z "${ours:-}" ] || rm -f /usr/sbin/policy-rc.d
}
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
[ -n "$mirror" ] || mirror=$(awk '$1=="deb" && $2 ~ /^http/{print $2; exit}' /etc/apt/sources.list 2>/dev/null || true)
: "${mirror:=http://deb.debian.org/debian}"
say 'bases: Debian 12 and the testing suite'
rm -rf bookworm forky engine
debootstrap --variant=minbase --include=ca-certificates bookworm bookworm "$mirror" >bookworm.log 2>&1 &
one=$!
debootstrap --variant=minbase --include=ca-certificates forky forky "$mirror" /usr/share/debootstrap/scripts/sid >forky.log 2>&1
wait "$one"
# The index of a testing suite is only valid for seven days, and a mirror may be older.
echo 'Acquire::Check-Valid-Until "false";' >forky/etc/apt/apt.conf.d/99no-valid-until
say 'engine'
cp -a forky engine
cp /etc/resolv.conf engine/etc/
printf '#!/bin/sh\nexit 101\n' >engine/usr/sbin/policy-rc.d
chmod 755 engine/usr/sbin/policy-rc.d
chroot engine sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends docker.io docker-compose docker-buildx iptables procps >/dev/null'
mkdir -p config/cli-plugins
cp engine/usr/libexec/docker/cli-plugins/docker-compose engine/usr/libexec/docker/cli-plugins/docker-buildx config/cli-plugins/
touch made
