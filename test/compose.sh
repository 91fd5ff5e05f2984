#!/usr/bin/env bash
# Smoke test of docker-compose.yml: the four services as containers, a push to a
# registry beside them, the worker killed in between, and the image must be
# listed with a finished scan. Needs a Docker engine, docker-compose or
# `docker compose`, curl, jq, openssl, skopeo, zip and what test/standin/build.sh needs.
#
#   NATS_IMAGE, REDIS_IMAGE   other images than the stand-ins
#   LANDWAITER_ADVISORIES     advisories in OSV export layout; default: one made up here
#   SMOKE_LIMIT               seconds until the report must be there (120)
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
SMOKE_DIR=$(mktemp -d)
SMOKE_HOOK=$(openssl rand -hex 16)
limit=${SMOKE_LIMIT:-120}
token=$(openssl rand -hex 16)

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
compose+=(-p "landwaiter-smoke-$$" -f docker-compose.yml -f test/compose.yml)

# The containers' numeric user must get at what lies in here.
chmod 755 "$SMOKE_DIR"

cleanup() {
  local status=$?
  if [ "$status" -ne 0 ]; then "${compose[@]}" logs --no-color --tail=60 >&2 || true; fi
  "${compose[@]}" down -v --remove-orphans >/dev/null 2>&1 || true
  docker image rm "landwaiter-test/smoke:$$" >/dev/null 2>&1 || true
  rm -rf "$SMOKE_DIR"
  exit "$status"
}
trap cleanup EXIT

say() { printf -- '--- %s\n' "$*"; }

# until_true WHAT COMMAND...: polls until the command succeeds or the limit is over
until_true() {
  local what=$1 deadline=$((SECONDS + limit))
  shift
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "not within ${limit}s: $what" >&2
      return 1
    fi
    sleep 1
  done
}

published() { # published SERVICE PORT: its address on this machine
  "${compose[@]}" port "$1" "$2"
}

api() { # api PATH
  curl -fsS --max-time 10 -H "Authorization: Bearer $token" "http://$(published report 8080)/api/v1$1"
}

configure() {
  cat >"$SMOKE_DIR/compose.env" <<EOF
LANDWAITER_ADMIN_TOKEN=$token
LANDWAITER_WEBHOOK_KEY=$(openssl rand -hex 32)
EOF
  cat >"$SMOKE_DIR/landwaiter.yaml" <<EOF
registries:
  - name: smoke
    type: oci
    address: http://registry:5000
    webhook: {secret: {env: SMOKE_HOOK}}
rules:
  - name: everything
    registry: smoke
    onPush: true
EOF
  cat >"$SMOKE_DIR/registry.yml" <<EOF
version: 0.1
storage: {filesystem: {rootdirectory: /data}}
http: {addr: ":5000"}
notifications:
  endpoints:
    - {name: landwaiter, url: "http://ingest:8081/hooks/smoke/$SMOKE_HOOK", timeout: 5s, threshold: 3, backoff: 1s}
EOF
  export SMOKE_DIR SMOKE_HOOK
  export LANDWAITER_ENV_FILE=$SMOKE_DIR/compose.env LANDWAITER_CONFIG_FILE=$SMOKE_DIR/landwaiter.yaml
  # A port the engine chooses: the usual one may be taken.
  export LANDWAITER_HTTP_PORT=127.0.0.1: LANDWAITER_INGEST_PORT=127.0.0.1:
  export NATS_IMAGE=${NATS_IMAGE:-landwaiter-test/nats} REDIS_IMAGE=${REDIS_IMAGE:-landwaiter-test/redis}
}

# One invented advisory for the one package of the smoke image.
advisories() {
  if [ -n "${LANDWAITER_ADVISORIES:-}" ]; then return; fi
  export LANDWAITER_ADVISORIES=$SMOKE_DIR/advisories
  mkdir -p "$LANDWAITER_ADVISORIES/Debian"
  echo Debian >"$LANDWAITER_ADVISORIES/ecosystems.txt"
  cat >"$SMOKE_DIR/x_SMOKE-1.json" <<EOF
{"schema_version": "1.7.0", "id": "x_SMOKE-1", "modified": "2026-01-01T00:00:00Z", "affected": [{
  "package": {"ecosystem": "Debian:12", "name": "expat"},
  "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.5.0-1+deb12u9"}]}]}]}
EOF
  (cd "$SMOKE_DIR" && zip -q advisories/Debian/all.zip x_SMOKE-1.json)
  echo "2026-01-01T00:00:00Z,x_SMOKE-1" >"$LANDWAITER_ADVISORIES/Debian/modified_id.csv"
  chmod -R a+rX "$LANDWAITER_ADVISORIES"
}

push() {
  local root=$SMOKE_DIR/image
  mkdir -p "$root/etc" "$root/var/lib/dpkg"
  printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n' >"$root/etc/os-release"
  printf 'Package: libexpat1\nStatus: install ok installed\nArchitecture: amd64\nSource: expat\nVersion: 2.5.0-1+deb12u1\n\n' \
    >"$root/var/lib/dpkg/status"
  printf 'FROM scratch\nCOPY etc/ /etc/\nCOPY var/ /var/\n' >"$root/Dockerfile"
  docker build --quiet --tag "landwaiter-test/smoke:$$" "$root" >/dev/null
  docker save --output "$SMOKE_DIR/image.tar" "landwaiter-test/smoke:$$"
  skopeo copy --quiet --dest-tls-verify=false "docker-archive:$SMOKE_DIR/image.tar" \
    "docker://$(published registry 5000)/team/app:1"
}

healthy() { [ "$(docker inspect --format '{{.State.Health.Status}}' "$("${compose[@]}" ps -q "$1")")" = healthy ]; }
reported() {
  api /images 2>/dev/null | jq -e '[.. | objects | select(.repository? == "team/app")] | length > 0' >/dev/null &&
    api "/images?ref=registry:5000/team/app:1" | jq -e '[.. | objects | .status?] | index(6) != null' >/dev/null
}

say "images and stand-ins"
make images
test/standin/build.sh
configure
advisories

say "services"
"${compose[@]}" up -d
for service in ingest cron worker report; do until_true "$service is healthy" healthy "$service"; done

say "push, and kill the worker at once"
push
"${compose[@]}" kill -s SIGKILL worker
"${compose[@]}" up -d worker

say "report"
until_true "the pushed image is listed with a finished scan" reported
api "/images?ref=registry:5000/team/app:1" | jq -c .
say "passed"
