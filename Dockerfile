# SPDX-License-Identifier: Apache-2.0
# Images of the suite (docs/containers.md). Targets:
#   m2m-rsp   all programs, one entry point: the role is the command (`docker run m2m-rsp sm-sr`)
#   backing   what a staging needs besides: PostgreSQL, nats-server and haproxy, as Debian has them
# BASE: Debian 12. `./rsp test containers` gives one that it made with debootstrap where no registry answers.
ARG BASE=docker.io/library/debian:12-slim

FROM ${BASE} AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends build-essential ccache meson ninja-build pkg-config \
	python3 libmicrohttpd-dev libgnutls28-dev libxml2-dev libxmlsec1-dev libpq-dev libnats-dev libsmpp34-dev libssl-dev \
	libcurl4-openssl-dev libjansson-dev && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
WORKDIR /src
COPY meson.build meson_options.txt ./
COPY common common
COPY proto proto
COPY services services
COPY tests/bench tests/bench
COPY tools tools
# The options of build/release; programs only: the measuring ones are not installed. What has not changed since the last build is not compiled again.
RUN --mount=type=cache,target=/ccache export CCACHE_DIR=/ccache CCACHE_NOHASHDIR=1; python3 -c 'import sys; sys.path.insert(0, "tools"); from rsp.build import OPTIONS; print("\n".join(OPTIONS["release"]))' \
	| xargs meson setup build/release . --prefix=/usr && ninja -C build/release && DESTDIR=/installed meson install -C build/release --no-rebuild --strip \
	&& rm -rf build

FROM ${BASE} AS m2m-rsp
# The unprivileged user of all containers; the folders that volumes are mounted at are its own, and so become the volumes.
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends libmicrohttpd12 libgnutls30 libxml2 libxmlsec1 \
	libxmlsec1-openssl libpq5 libnats3.4 libsmpp34-1 libssl3 libcurl4 libjansson4 \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log \
	&& useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin rsp \
	&& install -d -m 0700 -o rsp -g rsp /etc/rsp /run/rsp /var/lib/rsp /var/lib/rsp/batches /var/lib/rsp/pki /var/lib/rsp/registry /var/lib/rsp/tokens \
	&& for party in eum sm-sr sm-sr-b sm-sr-handover sm-sr-handover-b sm-dp operator-a operator-b m2m-sp postgres nats-a nats-b cards; do \
		install -d -m 0700 -o rsp -g rsp /parties/$party /admin/$party; done
COPY --from=build /installed/usr/bin/ /usr/bin/
COPY deploy/m2m-rsp /usr/bin/
COPY deploy/setup deploy/introduce /usr/libexec/m2m-rsp/
USER rsp
ENTRYPOINT ["/usr/bin/m2m-rsp"]

FROM ${BASE} AS backing
# Debian's packages would make a cluster of their own, and a key that all containers share: nobody asked for either.
RUN mkdir -p /etc/postgresql-common && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
	&& apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold \
	postgresql-15 nats-server haproxy \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log /etc/ssl/private/* /etc/ssl/certs/ssl-cert-snakeoil.pem \
	&& useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin rsp \
	&& install -d -m 0700 -o rsp -g rsp /etc/rsp /run/rsp /var/lib/rsp
COPY deploy/backing /usr/bin/
COPY deploy/haproxy.cfg tools/nats.conf.in /usr/share/m2m-rsp/
USER rsp
ENTRYPOINT ["/usr/bin/backing"]

# Without --target: the suite.
FROM m2m-rsp
