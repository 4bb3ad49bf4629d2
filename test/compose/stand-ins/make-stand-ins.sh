#!/bin/sh
# Builds, at the engine of DOCKER_HOST, stand-ins under the public names for the base images that cannot be pulled, from the bases in
# the folder $1 (see ../engine/make-engine.sh). They run the real major versions, so nothing in the compose file changes for them.
set -eu
W=$1
here=$(cd "$(dirname "$0")" && pwd)
say() { echo "compose test: $*" >&2; }
missing() { ! docker image inspect "$1" >/dev/null 2>&1; }
for suite in bookworm forky; do
  ! missing "debian:$suite-slim" || tar -C "$W/$suite" -c . | docker import - "debian:$suite-slim" >/dev/null
done
rm -rf "$W/context"
mkdir -p "$W/context/rootfs/usr/local/bin" "$W/context/rootfs/usr/local/lib/node_modules/npm"
cp "$here"/*.Dockerfile "$here"/*-entrypoint.sh /etc/ssl/certs/ca-certificates.crt "$W/context/"
chmod 755 "$W"/context/*-entrypoint.sh
cd "$W/context"
if missing node:26-bookworm-slim; then
  say 'stand-in for node:26-bookworm-slim'
  case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
  npm pack --silent "node-linux-$arch@26.10.0" npm@11 --pack-destination "$W" >/dev/null
  tar xzf "$W/node-linux-$arch-26.10.0.tgz" -C rootfs/usr/local/bin --strip-components=2 package/bin/node
  tar xzf "$W"/npm-11.*.tgz -C rootfs/usr/local/lib/node_modules/npm --strip-components=1
  chmod 755 rootfs/usr/local/bin/node
  docker build --quiet -t node:26-bookworm-slim -f node.Dockerfile . >/dev/null
fi
if missing rabbitmq:4-management; then
  say 'stand-in for rabbitmq:4-management'
  docker build --quiet -t rabbitmq:4-management -f rabbitmq.Dockerfile . >/dev/null &
  rabbit=$!
fi
if missing postgres:18; then
  say 'stand-in for postgres:18'
  docker build --quiet -t postgres:18 -f postgres.Dockerfile . >/dev/null
fi
if missing prom/prometheus:v3.5.0; then
  say 'stand-in for prom/prometheus:v3.5.0'
  docker build --quiet -t prom/prometheus:v3.5.0 -f prometheus.Dockerfile . >/dev/null
fi
[ -z "${rabbit:-}" ] || wait "$rabbit"
