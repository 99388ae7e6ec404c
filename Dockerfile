# Build: docker build -t retouch .     Run a stage: docker run --rm -v "$PWD:/workspace" retouch dvc repro
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_COMPILE_BYTECODE=1
RUN python -m venv /opt/retouch && /opt/retouch/bin/pip install --no-cache-dir uv
WORKDIR /src
COPY requirements.lock ./
RUN /opt/retouch/bin/uv pip sync --no-cache --python /opt/retouch/bin/python requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY pretrained ./pretrained
RUN /opt/retouch/bin/uv pip install --no-cache --no-deps --python /opt/retouch/bin/python .

FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 retouch
COPY --from=build /opt/retouch /opt/retouch
ENV PATH=/opt/retouch/bin:$PATH PYTHONUNBUFFERED=1 DVC_NO_ANALYTICS=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1 GX_ANALYTICS_ENABLED=false
USER retouch
WORKDIR /workspace
CMD ["retouch", "--help"]
