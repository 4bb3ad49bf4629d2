# Stands in for rabbitmq:4-management: what Debian's testing suite has, with the public image's user, folders and refusals.
ARG BASE=debian:forky-slim
FROM ${BASE}
RUN groupadd -r -g 999 rabbitmq && useradd -r -u 999 -g rabbitmq -d /var/lib/rabbitmq rabbitmq \
 && printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
 && apt-get update -qq && apt-get install -y -qq --no-install-recommends rabbitmq-server >/dev/null && rm -rf /var/lib/apt/lists/* \
 && rm -rf /var/lib/rabbitmq/mnesia /var/lib/rabbitmq/.erlang.cookie && mkdir -p /opt/rabbitmq /etc/rabbitmq/conf.d \
 && ln -s /usr/lib/rabbitmq/bin /opt/rabbitmq/sbin \
 && printf 'loopback_users.guest = false\nlog.console = true\n' > /etc/rabbitmq/conf.d/10-defaults.conf \
 && echo '[rabbitmq_management,rabbitmq_prometheus].' > /etc/rabbitmq/enabled_plugins \
 && chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /etc/rabbitmq /var/log/rabbitmq
COPY rabbitmq-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
# The scripts themselves, not Debian's wrappers in /usr/sbin: those call su, which cap_drop forbids.
ENV PATH=/opt/rabbitmq/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/var/lib/rabbitmq LANG=C.UTF-8 LC_ALL=C.UTF-8
VOLUME /var/lib/rabbitmq
EXPOSE 4369 5671 5672 15671 15672 15691 15692 25672
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["rabbitmq-server"]
