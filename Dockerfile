# The gateway without compilers, as a user without rights. State lives in the volume, the configuration is mounted:
#
#   docker build -t fastgate .
#   docker run -p 8080:8080 -v ./conf:/etc/fastgate:ro -v fastgate:/var/lib/fastgate -e ANTHROPIC_API_KEY fastgate
#
# In a container, fastgate.yaml says `listen: 0.0.0.0:8080` and `state: /var/lib/fastgate`. Give `docker stop` longer
# than limits.drain_s.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml ./
COPY requirements requirements
COPY scripts scripts
RUN python -m venv /opt/fastgate \
 && python scripts/requirements.py build > build.txt \
 && python scripts/requirements.py run semantic > run.txt \
 && pip install --no-cache-dir -c requirements/constraints.txt -r build.txt \
 && HNSWLIB_NO_NATIVE=1 /opt/fastgate/bin/pip install --no-cache-dir -c requirements/constraints.txt -r run.txt
COPY . .
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation -w dist . \
 && /opt/fastgate/bin/pip install --no-cache-dir --no-deps dist/*.whl

FROM python:${PYTHON}-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/fastgate --create-home fastgate
COPY --from=build /opt/fastgate /opt/fastgate
ENV PATH=/opt/fastgate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FASTGATE_CONFIG=/etc/fastgate/fastgate.yaml \
    FASTGATE_READY_URL=http://127.0.0.1:8080/readyz
USER fastgate
WORKDIR /var/lib/fastgate
VOLUME /var/lib/fastgate
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
    CMD ["python", "-c", "import os; from urllib.request import urlopen; urlopen(os.environ['FASTGATE_READY_URL'])"]
ENTRYPOINT ["fastgate"]
CMD ["serve"]
