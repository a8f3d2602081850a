# Two images on Debian 12, whose Python is 3.11: a device's agent (the last, so the default), and the
# pipeline for a worker, with TensorFlow, DVC and Prefect.
#
#   docker build -t kdtasks-agent .
#   docker run -p 8080:8080 -v kdtasks:/var/lib/kdtasks -e KDTASKS_STORE=s3://bucket/models \
#     -e AWS_ENDPOINT_URL=… kdtasks-agent --model digits
#
#   docker build -t kdtasks-pipeline --target pipeline .
#   docker run -v "$PWD:/project" kdtasks-pipeline kdtasks run
FROM debian:bookworm-slim AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/kdtasks \
    && useradd --system --create-home --home-dir /var/lib/kdtasks --uid 10001 kdtasks
ENV PATH=/opt/kdtasks/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /source
COPY . .

FROM python AS pipeline
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir -c constraints.txt '.[pipeline,store]' prefect-kubernetes \
    && git config --system --add safe.directory '*'
ENV DVC_NO_ANALYTICS=1 DO_NOT_TRACK=1
USER kdtasks
WORKDIR /project
CMD ["kdtasks", "--help"]

FROM python AS agent
RUN pip install --no-cache-dir -c constraints.txt '.[serve,store]'
ENV KDTASKS_CACHE=/var/lib/kdtasks/cache KDTASKS_STATE=/var/lib/kdtasks/state
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
