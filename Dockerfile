# The image: gemwatch in a virtual environment on a slim Python, for an ordinary user and a read-only root file system.
#
#   docker build -t gemwatch .
#   docker build -t gemwatch --build-arg AZURE_IDENTITY=1 .    # for api.token.azure: about 20 MB more
#   docker build -t gemwatch --build-arg POSTGRESQL=1 .        # for a store in PostgreSQL: about 10 MB more
#   docker build -t gemwatch --build-arg AZURE_CLI=1 .         # with the Azure CLI: about 700 MB more
#
# VERSION and REVISION become labels. How to run it: compose.yaml, docs/kubernetes/, docs/operations.md. The release
# workflow adds the digest of the base image to its tag.

FROM python:3.13.16-slim-trixie AS base
# The image comes without bytecode, and the daemon's user cannot write any: without this, each start and each health
# check would compile the standard library again.
RUN python -m compileall -q -j 0 -x '/(test|idlelib|lib2to3|site-packages)/' \
    "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"


# --- The program. Dependencies change rarely and come first, so that a change of the code builds in seconds.
FROM base AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

RUN python -m venv --without-pip /opt/gemwatch
ARG AZURE_IDENTITY="" POSTGRESQL=""
COPY requirements.lock requirements-azure.lock requirements-postgresql.lock ./
# Wheels only: nothing is compiled, and no package's own code runs.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/gemwatch install --require-hashes --only-binary=:all: \
        -r "requirements${AZURE_IDENTITY:+-azure}.lock" \
    && if [ -n "$POSTGRESQL" ]; then \
        pip --python /opt/gemwatch install --require-hashes --only-binary=:all: -r requirements-postgresql.lock; \
    fi

# The build backend and its dependencies, with their hashes, from the development lock.
COPY requirements-dev.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    sed -nE '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/,/[^\\]$/p' requirements-dev.lock > build.lock \
    && pip install --require-hashes --only-binary=:all: -r build.lock

COPY pyproject.toml README.md LICENSE config.example.yaml ./
COPY migrations ./migrations
COPY daemon ./daemon
RUN pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /wheel . \
    && pip --python /opt/gemwatch install --no-cache-dir --no-index --no-deps /wheel/*.whl


# --- The Azure CLI, on request: without the argument this stage is an empty folder.
FROM base AS azure
ARG AZURE_CLI=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements-azure-cli.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    mkdir /opt/azure-cli \
    && if [ -n "$AZURE_CLI" ]; then \
        python -m venv --without-pip /opt/azure-cli \
        && pip --python /opt/azure-cli install --require-hashes --only-binary=:all: \
            -r requirements-azure-cli.lock; \
    fi


# --- The image.
FROM base
ARG VERSION="" REVISION=""
LABEL org.opencontainers.image.title="gemwatch" \
      org.opencontainers.image.description="Polls TomTom GEM matching jobs and sends a notification when one ends" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

# tini is process 1: it forwards signals from the start, and reaps what a token command leaves behind. pip is not needed
# any more. The user's number is fixed, because volumes, secrets and runAsUser name it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
    && pip uninstall -y --root-user-action=ignore pip \
    && groupadd --gid 10001 gemwatch \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin gemwatch \
    && install -d -m 755 /config \
    && install -d -m 700 -o 10001 -g 10001 /data

COPY --from=azure /opt/azure-cli /opt/azure-cli
COPY --from=build /opt/gemwatch /opt/gemwatch

# AZURE_CONFIG_DIR: the login outlives the container. TZ: Apprise measures its pauses in local time, which must not jump.
# MALLOC_ARENA_MAX: each target has a thread, and each thread would get a memory arena.
ENV PATH=/opt/gemwatch/bin:$PATH:/opt/azure-cli/bin \
    GEMWATCH_CONFIG=/config/config.yaml \
    HOME=/data \
    AZURE_CONFIG_DIR=/data/azure \
    AZURE_CORE_COLLECT_TELEMETRY=no \
    TZ=UTC \
    MALLOC_ARENA_MAX=2 \
    PYTHONFAULTHANDLER=1 \
    PYTHONDONTWRITEBYTECODE=1

USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8042
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --retries=4 CMD ["gemwatch", "healthcheck"]
ENTRYPOINT ["tini", "--", "gemwatch"]
CMD ["run"]
