# A device's agent: the base install and the extras it needs, no TensorFlow, no pipeline.
#
#   docker build -t kdtasks-agent .
#   docker run -p 8080:8080 -v kdtasks:/var/lib/kdtasks -e KDTASKS_STORE=s3://bucket/models \
#     -e AWS_ENDPOINT_URL=… kdtasks-agent --model digits
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml setup.py constraints.txt README.md LICENSE ./
COPY kdtasks kdtasks
RUN python -m venv /opt/kdtasks \
    && /opt/kdtasks/bin/pip install --no-cache-dir -c constraints.txt '.[serve,store]'

FROM python:3.12-slim
RUN useradd --system --create-home --home-dir /var/lib/kdtasks --uid 10001 kdtasks
COPY --from=build /opt/kdtasks /opt/kdtasks
ENV PATH=/opt/kdtasks/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    KDTASKS_CACHE=/var/lib/kdtasks/cache \
    KDTASKS_STATE=/var/lib/kdtasks/state
USER kdtasks
WORKDIR /var/lib/kdtasks
VOLUME /var/lib/kdtasks
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health', timeout=4)"]
# the last --host and --port count, so arguments of `docker run` may replace them
ENTRYPOINT ["kdtasks", "agent", "--host", "0.0.0.0", "--port", "8080"]
CMD ["--help"]
