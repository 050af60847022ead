# The images of kv-service, api-gateway and kvtop:
#
#   docker build --target kv-service -t txlog-kv/kv-service --build-arg COMMIT=$(git rev-parse --short HEAD) .
#
# The programs contain the Swift runtime; the images below need only libc, libstdc++ and, for kvtop, ncurses.

FROM swift:6.3.1-bookworm AS toolchain
RUN apt-get update \
 && apt-get install --yes --no-install-recommends make libncurses-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
# The packages are fetched again only if the manifest has changed.
COPY Package.swift Package.resolve[d] ./
RUN swift package resolve
# The test targets' folders too: a package whose manifest names missing folders does not load.
COPY Makefile ./
COPY Sources Sources
COPY Tests Tests

FROM toolchain AS build-services
RUN make build PRODUCTS="kv-service api-gateway kvctl txlog" \
 && mkdir /out /data && bin=$(make --silent show-bin-path) \
 && cp "$bin/kv-service" "$bin/api-gateway" "$bin/kvctl" "$bin/txlog" /out \
 && strip --strip-debug /out/*

# Built after the services, whose stages do not wait for it.
FROM build-services AS build-kvtop
RUN make build PRODUCTS=kvtop \
 && cp "$(make --silent show-bin-path)/kvtop" /out && strip --strip-debug /out/kvtop

# It contains libc and libstdc++, which are enough for the services.
FROM debian:bookworm-slim AS runtime
ARG COMMIT=unknown
ENV TXLOG_KV_COMMIT=$COMMIT
LABEL org.opencontainers.image.revision=$COMMIT
# A number, so that orchestrators can verify that it is not root; the user need not exist.
USER 10001:10001
STOPSIGNAL SIGTERM

# Contains kvctl too, and txlog to inspect the data of a stopped service.
FROM runtime AS kv-service
LABEL org.opencontainers.image.title="txlog-kv kv-service"
COPY --from=build-services /out/kv-service /out/kvctl /out/txlog /usr/local/bin/
COPY --from=build-services --chown=10001:10001 /data /data
ENV KV_LISTEN=0.0.0.0:8081 KV_DATA_DIR=/data
VOLUME ["/data"]
EXPOSE 8081
# A replay may take minutes; a failing check within the start period does not count. --running: flags and a file that
# are given to the container count for the check as well.
HEALTHCHECK --interval=5s --timeout=4s --start-period=10m --retries=3 CMD ["kv-service", "healthcheck", "--running"]
ENTRYPOINT ["kv-service"]

FROM runtime AS api-gateway
LABEL org.opencontainers.image.title="txlog-kv api-gateway"
COPY --from=build-services /out/api-gateway /out/kvctl /usr/local/bin/
ENV GATEWAY_LISTEN=0.0.0.0:8080 GATEWAY_UPSTREAM=http://kv-service:8081
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["api-gateway", "healthcheck", "--running"]
ENTRYPOINT ["api-gateway"]

FROM runtime AS kvtop
LABEL org.opencontainers.image.title="txlog-kv kvtop"
USER root
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libncursesw6 ncurses-base zlib1g \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
USER 10001:10001
COPY --from=build-kvtop /out/kvtop /usr/local/bin/
ENV LANG=C.UTF-8
ENTRYPOINT ["kvtop"]
