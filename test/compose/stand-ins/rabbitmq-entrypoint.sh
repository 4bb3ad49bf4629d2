#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
  case "$1" in rabbitmq*)
    [ "$1" != rabbitmq-server ] || chown -R rabbitmq /var/lib/rabbitmq
    exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups "$0" "$@"
    ;;
  esac
fi
[ -z "${RABBITMQ_DEFAULT_PASS_FILE:-}${RABBITMQ_DEFAULT_USER_FILE:-}" ] || {
  echo >&2 'error: RABBITMQ_DEFAULT_*_FILE is set but deprecated'
  exit 1
}
# The server is then process 1 and stops cleanly when asked to.
export RUNNING_UNDER_SYSTEMD=true
exec "$@"
