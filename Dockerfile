# docker build -t ppm-server .                    or make image
# docker run --rm -p 8080:8080 ppm-server
# docker run --rm -p 8080:8080 -v "$PWD/models:/models:ro" ppm-server serve --model /models/mine.json
#
# See docs/container.md. The program is built for baseline x86-64 (or arm64) and selects its kernels at
# startup.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
# A timestamp of snapshot.debian.org, such as 20260101T000000Z, to use the packages of that time.
ARG SNAPSHOT=
RUN [ -z "$SNAPSHOT" ] \
 || { sed -i -E "s#^URIs: .*/(debian|debian-security)/?\$#URIs: http://snapshot.debian.org/archive/\1/$SNAPSHOT/#" \
          /etc/apt/sources.list.d/debian.sources \
   && grep -q "/$SNAPSHOT/" /etc/apt/sources.list.d/debian.sources \
   && echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/snapshot; }
WORKDIR /src
COPY tools/packages.txt tools/install-packages.sh tools/
RUN tools/install-packages.sh build && rm -rf /var/lib/apt/lists/*
COPY . .
# The modification time of every file in the image, so that two builds are equal.
ARG SOURCE_DATE_EPOCH=0
RUN make install-program DESTDIR=/image PREFIX=/usr/local LDFLAGS=-static-libstdc++ \
 && tools/image-root.sh /image

FROM scratch
COPY --from=build /image /
ARG VERSION=dev
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title="ppm-server" \
      org.opencontainers.image.description="Pyramid pooling modules of segmentation networks over HTTP, on CPUs" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV PATH=/usr/local/bin \
    PPM_HOST=0.0.0.0
# Mount your own models at /models.
WORKDIR /models
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/local/bin/ppm-server", "health"]
ENTRYPOINT ["/usr/local/bin/ppm-server"]
CMD ["serve"]
