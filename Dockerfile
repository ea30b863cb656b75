# Two stages build, the third runs: no compiler, no Node.js, no npm and no test tool reaches the image.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
# The development lock brings the build backend and Node.js, both with hashes.
COPY requirements-dev.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY pages/__init__.py pages/graphiql_build.py pages/
COPY pages/graphiql pages/graphiql
RUN python -m pages.graphiql_build
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM ${PYTHON_IMAGE} AS install
RUN python -m venv /opt/gateway
COPY requirements.lock ./
RUN /opt/gateway/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY --from=build /wheels /wheels
RUN /opt/gateway/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM ${PYTHON_IMAGE}
# The folder is for a volume of the sandbox's: a new volume takes its owner from here.
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gateway \
    && install --directory --mode=700 --owner=10001 --group=10001 /var/lib/gateway
COPY --from=install /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_PORT=8000 \
    GATEWAY_SIDECAR_PORT=8001
WORKDIR /tmp
USER 10001:10001
# This asks `gateway serve`; docker-compose.yml says how the sidecar is asked, and that the worker has no port.
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['GATEWAY_PORT']}/livez\", timeout=2)"]
ENTRYPOINT ["gateway"]
CMD ["serve"]
