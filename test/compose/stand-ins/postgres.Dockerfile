# Stands in for postgres:18: what Debian's testing suite has, with the public image's user, folders, variables and refusals.
ARG BASE=debian:forky-slim
FROM ${BASE}
ARG PG=18
ARG PGUID=999
RUN groupadd -r -g $PGUID postgres && useradd -r -u $PGUID -g postgres -d /var/lib/postgresql -s /bin/bash postgres \
 && printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
 && mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
 && apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql-$PG >/dev/null && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /docker-entrypoint-initdb.d && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql && install -d -o postgres -g postgres -m 3777 /var/run/postgresql
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV PG_MAJOR=$PG PGDATA=/var/lib/postgresql/$PG/docker PATH=/usr/lib/postgresql/$PG/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
