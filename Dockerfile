# Reeve's two images.
#
#   docker build --target sidecar  --tag reeve-sidecar:0.1.0 .
#   docker build --target operator --tag reeve-operator:0.1.0 .
#
# The programs are built one by one: together, the sidecar would be built with what only the operator needs of Kubernetes.
#
# BUILDER may be `prebuilt`: then the programs are taken from the folder target/image, as tests do.
ARG BASE=gcr.io/distroless/cc-debian12:nonroot
ARG RUST=docker.io/library/rust:1.95-bookworm
ARG BUILDER=compiled

FROM ${RUST} AS compiled
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package reeve-sidecar \
    && cargo build --release --locked --package reeve-operator \
    && mkdir -p /programs && cp target/release/reeve-sidecar target/release/reeve-operator /programs/

FROM ${BASE} AS prebuilt
COPY target/image /programs

FROM ${BUILDER} AS programs

FROM ${BASE} AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.source="https://github.com/reeve-dev/reeve" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM base AS sidecar
LABEL org.opencontainers.image.title="reeve-sidecar" \
      org.opencontainers.image.description="Enforces MCP policy: decides and relays every call of the agent beside it."
COPY --from=programs /programs/reeve-sidecar /usr/local/bin/reeve-sidecar
COPY LICENSE /licenses/LICENSE
USER 7338:7338
ENTRYPOINT ["/usr/local/bin/reeve-sidecar"]

FROM base AS operator
LABEL org.opencontainers.image.title="reeve-operator" \
      org.opencontainers.image.description="Compiles MCP policies, gives them to sidecars, and tells how far they are in force."
COPY --from=programs /programs/reeve-operator /usr/local/bin/reeve-operator
COPY LICENSE /licenses/LICENSE
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/reeve-operator"]
