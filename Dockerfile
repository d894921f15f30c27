# syntax=docker/dockerfile:1
# The command line, with torch for CPUs: with the one for GPUs an image is 4.6 GB larger.
#
#   docker build --tag esclip .
#   docker run --rm --read-only --tmpfs /tmp --volume esclip:/data --volume ~/Pictures:/pictures:ro \
#     esclip ingest /pictures
#   docker run --rm --read-only --tmpfs /tmp --volume esclip:/data esclip search-text "two dogs in the snow"
#
# /data holds indexes, models and fetched pictures. --user other than 10001 wants a /data that this user may write.
# Build arguments: PYTHON; EXTRAS, those of pyproject.toml; UV_TORCH_BACKEND, such as cu130 for GPUs.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
ARG EXTRAS=aws,heic
ARG UV_TORCH_BACKEND=cpu
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
WORKDIR /build
RUN --mount=type=cache,target=/root/.cache \
    python -m venv /opt/uv && /opt/uv/bin/pip install uv==0.13.9
# What esclip depends on is a layer of its own: a change of its code doesn't install torch anew.
COPY pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache \
    python -m venv --without-pip /opt/esclip && \
    /opt/uv/bin/uv pip install --python /opt/esclip/bin/python --requirements pyproject.toml
COPY LICENSE README.md ./
COPY scripts/package_readme.py scripts/
COPY man man
COPY src src
RUN --mount=type=cache,target=/root/.cache \
    /opt/uv/bin/uv pip install --python /opt/esclip/bin/python ".[${EXTRAS}]"

FROM python:${PYTHON}-slim-bookworm
COPY --from=build /opt/esclip /opt/esclip
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data esclip && \
    install --directory --owner=esclip --group=esclip /data
ENV PATH=/opt/esclip/bin:$PATH HOME=/data PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /data
VOLUME /data
ENTRYPOINT ["esclip"]
CMD ["--help"]
