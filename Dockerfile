# The image: gemwatch in a virtual environment on a slim Python, for an ordinary user and a read-only root.
#
#   docker build -t gemwatch .
#   docker build -t gemwatch --build-arg AZURE_CLI=2.91.0 .    # with the Azure CLI of that version: some 700 MB more
#
# VERSION and REVISION, should you give them, become labels. How to run it: compose.yaml, docs/kubernetes.yaml,
# docs/operations.md.

FROM python:3.13.16-slim-bookworm AS base


# --- The program. The dependencies change seldom and come first, so that a change of the code builds in seconds.
FROM base AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

RUN python -m venv --without-pip /opt/gemwatch
COPY requirements.lock ./
# Wheels only: nothing is compiled, and no package's own code runs.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/gemwatch install --require-hashes --only-binary=:all: -r requirements.lock

# What builds the wheel: hatchling and what it needs, with their hashes, out of the development lock.
COPY requirements-dev.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    sed -nE '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/,/[^\\]$/p' requirements-dev.lock > build.lock \
    && pip install --require-hashes --only-binary=:all: -r build.lock

COPY pyproject.toml README.md LICENSE ./
COPY migrations ./migrations
COPY daemon ./daemon
RUN pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /wheel . \
    && pip --python /opt/gemwatch install --no-cache-dir --no-index --no-deps /wheel/*.whl


# --- The Azure CLI, only if asked for: without the argument this stage is an empty folder.
FROM base AS azure
ARG AZURE_CLI=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN --mount=type=cache,target=/root/.cache/pip \
    mkdir /opt/azure-cli \
    && if [ -n "$AZURE_CLI" ]; then \
        python -m venv --without-pip /opt/azure-cli \
        && pip --python /opt/azure-cli install --only-binary=:all: "azure-cli==$AZURE_CLI"; \
    fi


# --- The image.
FROM base
ARG VERSION="" REVISION=""
LABEL org.opencontainers.image.title="gemwatch" \
      org.opencontainers.image.description="Watches TomTom GEM matching jobs and tells people the moment one ends" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

# tini is process 1: it passes signals on from the first moment, and buries what a token command leaves behind.
# pip has done its work. The user's number is fixed, since volumes, secrets and runAsUser name it.
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

# AZURE_CONFIG_DIR: the login outlives the container. TZ: Apprise measures its pauses in local time, which must not
# jump. MALLOC_ARENA_MAX: one thread a target would mean one memory arena a thread. Bytecode is in the image already.
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
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=4 CMD ["gemwatch", "healthcheck"]
ENTRYPOINT ["tini", "--", "gemwatch"]
CMD ["run"]
