#!/bin/bash
set -Eeuo pipefail
[ "${1#-}" = "$1" ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"
if [ "$PG_MAJOR" -ge 18 ] && mountpoint -q /var/lib/postgresql/data; then
  echo >&2 'Error: in 18+ mount the volume at /var/lib/postgresql'
  exit 1
fi
mkdir -p "$PGDATA"
chmod 700 "$PGDATA" || :
if [ "$(id -u)" = 0 ]; then
  chown -R postgres "$PGDATA" /var/run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
for v in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB; do
  f=${v}_FILE
  if [ -n "${!f:-}" ]; then
    [ -z "${!v:-}" ] || { echo >&2 "error: both $v and $f are set"; exit 1; }
    export "$v=$(cat "${!f}")"
  fi
done
: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_HOST_AUTH_METHOD:=scram-sha-256}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  [ -n "${POSTGRES_PASSWORD:-}" ] || [ "$POSTGRES_HOST_AUTH_METHOD" = trust ] || { echo >&2 'Error: superuser password is not specified.'; exit 1; }
  # shellcheck disable=SC2086
  initdb --username="$POSTGRES_USER" --pwfile=<(echo "${POSTGRES_PASSWORD:-}") ${POSTGRES_INITDB_ARGS:-}
  echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
  # The first start listens on the unix socket only.
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  export PGPASSWORD="${POSTGRES_PASSWORD:-}"
  q=(psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" --no-password --no-psqlrc)
  [ "$POSTGRES_DB" = postgres ] || "${q[@]}" -d postgres -c "CREATE DATABASE \"$POSTGRES_DB\""
  for f in /docker-entrypoint-initdb.d/*; do
    case "$f" in
    *.sh) . "$f" ;;
    *.sql) "${q[@]}" -d "$POSTGRES_DB" -f "$f" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD
  echo 'PostgreSQL init process complete; ready for start up.'
fi
exec "$@"
