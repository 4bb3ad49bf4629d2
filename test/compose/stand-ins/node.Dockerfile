# Stands in for node:26-bookworm-slim where it cannot be pulled.
FROM debian:bookworm-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libatomic1 >/dev/null && rm -rf /var/lib/apt/lists/* \
 && groupadd -g 1000 node && useradd -u 1000 -g node -s /bin/bash -m node
COPY rootfs/ /
COPY node-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
# The machine's own authorities: a registry behind a proxy may need one of them.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN ln -s node /usr/local/bin/nodejs && cd /usr/local/lib/node_modules/npm/bin \
 && for b in npm npx; do chmod 755 $b-cli.js && ln -s ../lib/node_modules/npm/bin/$b-cli.js /usr/local/bin/$b; done
ENV NODE_VERSION=26.10.0 NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node"]
