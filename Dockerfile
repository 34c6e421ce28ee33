# The container image: the static program, on nothing else.
#
#   podman build --format docker -t nats-userman .
#   docker build -t nats-userman .
#
# It needs Podman, Buildah, or Docker from 23 on. docs/container.md says how to run it.

# An image with Rust, a C compiler, and glibc 2.34 or newer: an older glibc looks up no host name in
# a static program.
ARG BUILDER=docker.io/library/rust:1.91-bookworm

FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
# What cargo makes is kept for the next build, and is in no image.
RUN --mount=type=cache,target=/src/target \
    packaging/build static && \
    install -D target/*-linux-gnu/dist/nats-userman /program/usr/bin/nats-userman && \
    install -d -m 750 /owned/data

FROM scratch
LABEL org.opencontainers.image.title="nats-userman" \
      org.opencontainers.image.description="NATS user management postbacks and the members area" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /program/ /
# A new volume gets the owner and the mode of this directory.
COPY --from=build --chown=65532:65532 /owned/ /
# `container` makes errors about files say what to do on the host. It is the variable of systemd's
# container interface, which Podman sets and Docker does not.
ENV PATH=/usr/bin \
    USERMAN_LISTEN=0.0.0.0:8080 \
    USERMAN_DATA_DIR=/data \
    container=oci
USER 65532:65532
WORKDIR /data
# So that nothing is written into a container's own layer, which is lost with it.
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# An upgrade of a large database takes its time before the service listens.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["/usr/bin/nats-userman", "health"]
ENTRYPOINT ["/usr/bin/nats-userman"]
CMD ["serve"]
