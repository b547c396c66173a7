# The serving image: mre-server, mre, mre-loadtest, and the checkpoints in
# model/zoo.
#   docker build -t mre-serving .      (or podman build --format docker)
# How to run it: deploy/README.md. Sources come after the package layers, so
# that a change to the code does not install the packages again.

FROM debian:bookworm-slim AS build
COPY deploy/install-deps.sh /tmp/install-deps.sh
RUN /tmp/install-deps.sh build && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt CMakePresets.json ./
COPY proto proto
COPY model model
COPY client client
COPY server server
RUN cmake --preset release -DMRE_TESTS=OFF \
    && cmake --build --preset release --target mre-server mre mre-loadtest \
    && mkdir /out \
    && strip -o /out/mre-server build/release/server/mre-server \
    && strip -o /out/mre build/release/client/cli/mre \
    && strip -o /out/mre-loadtest build/release/client/loadtest/mre-loadtest

FROM debian:bookworm-slim
COPY deploy/install-deps.sh /tmp/install-deps.sh
RUN /tmp/install-deps.sh runtime \
    && find /usr/share/doc -type f ! -name copyright -delete \
    && rm -rf /tmp/install-deps.sh /var/lib/apt/lists/* /var/cache/apt/* \
        /var/cache/debconf/* /var/log/* /usr/share/man /usr/share/locale \
        /usr/share/info
COPY --from=build /out/ /usr/local/bin/
COPY model/zoo /models
USER 10001:10001
# 8001: gRPC. 8002: metrics over HTTP.
EXPOSE 8001 8002
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["mre", "health", "--server=127.0.0.1:8001"]
ENTRYPOINT ["mre-server"]
CMD ["--model_repository=/models", "--host=0.0.0.0"]
