# The gatekeeper of one steward. Build:   docker build -t medaccord:0.1.0 .
# A digest makes the base exactly one image:  --build-arg PYTHON_DIGEST=sha256:…
ARG PYTHON_TAG=3.12.12-slim-bookworm
ARG PYTHON_DIGEST=

FROM python:${PYTHON_TAG}${PYTHON_DIGEST:+@${PYTHON_DIGEST}} AS build
WORKDIR /build
RUN python -m venv /opt/medaccord
ENV PATH=/opt/medaccord/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY scripts/select_lock.py scripts/select_lock.py
COPY pyproject.toml requirements.lock ./
RUN python scripts/select_lock.py requirements.lock > chosen.lock \
    && pip install --require-hashes --no-deps --only-binary :all: -r chosen.lock
COPY README.md LICENSE ./
COPY medaccord medaccord
RUN pip install --no-index --no-deps --no-build-isolation .

FROM python:${PYTHON_TAG}${PYTHON_DIGEST:+@${PYTHON_DIGEST}}
# The numbers matter: files of keys and passphrases must be owned by this user, and closed to others.
RUN groupadd --gid 10001 medaccord \
    && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin medaccord \
    && install --directory --owner=medaccord --group=medaccord --mode=0700 /var/lib/medaccord
COPY --from=build /opt/medaccord /opt/medaccord
ENV PATH=/opt/medaccord/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MEDACCORD_HOST=0.0.0.0 \
    MEDACCORD_PORT=8080 \
    MEDACCORD_METRICS_PORT=9464 \
    MEDACCORD_KEYS_FOLDER=/var/lib/medaccord/keys \
    MEDACCORD_KEYSTORE=/var/lib/medaccord/keystore
USER 10001:10001
WORKDIR /var/lib/medaccord
VOLUME /var/lib/medaccord
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health', timeout=4)"]
ENTRYPOINT ["medaccord"]
CMD ["serve"]
