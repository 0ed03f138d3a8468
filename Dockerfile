# docker build -t ppm-server .
# docker run --rm -p 8080:8080 ppm-server
# docker run --rm -p 8080:8080 -v "$PWD/models:/models:ro" ppm-server serve --model /models/mine.json
#
# The program is built for baseline x86-64 (or arm64) and chooses its kernels when it starts.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY tools/packages.txt tools/install-packages.sh tools/
RUN tools/install-packages.sh build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make && make install DESTDIR=/out PREFIX=/usr/local

FROM ${BASE}
ARG VERSION=dev
LABEL org.opencontainers.image.title="ppm-server" \
      org.opencontainers.image.description="Pyramid pooling modules of segmentation networks over HTTP, on CPUs" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        libgnutls30 libgomp1 libjansson4 libmicrohttpd12 libpng16-16 libsleef3 libstdc++6 zlib1g \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /out/usr/local /usr/local

# Models of your own are mounted at /models.
WORKDIR /models
USER 10001:10001
ENV PPM_HOST=0.0.0.0
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["ppm-server", "health"]
ENTRYPOINT ["ppm-server"]
CMD ["serve"]
