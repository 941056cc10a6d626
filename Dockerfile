# The service as a container: no root, nothing written outside /data and /tmp.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY .ci/constraints.txt ./constraints.txt
COPY qa_agents qa_agents
COPY prompts prompts
COPY examples examples
RUN python -m venv /opt/qa-agents \
 && /opt/qa-agents/bin/pip install --no-cache-dir --constraint constraints.txt '.[postgres]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin qa \
 && install -d -o qa -g qa -m 0700 /data \
 && install -d /app
COPY --from=build /opt/qa-agents /opt/qa-agents
ENV PATH=/opt/qa-agents/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    QA_AGENTS_HOME=/data
USER 10001
WORKDIR /app
VOLUME /data
EXPOSE 8086
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8086/readyz', timeout=3)"]
ENTRYPOINT ["qa-agents"]
CMD ["serve", "--with-worker", "--host", "0.0.0.0"]
