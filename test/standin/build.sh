#!/usr/bin/env bash
# Builds landwaiter-test/nats, landwaiter-test/redis and landwaiter-test/registry
# for machines that can pull no image: nats-server from the Go module, Redis and
# the registry from Debian's packages (redis-server, redis-tools, docker-registry)
# with the libraries their binaries name. Needs a Docker engine.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# root NAME BINARY...: a root file system with the binaries and their libraries
root() {
  local root=$work/$1/root binary library
  mkdir -p "$root/usr/bin" "$root/data" "$root/tmp"
  cp "$here/$1/Dockerfile" "$work/$1/"
  for binary in "${@:2}"; do
    cp -L "$binary" "$root/usr/bin/"
    # A static binary makes ldd fail and needs nothing.
    for library in $(ldd "$binary" 2>/dev/null | grep -o '/[^ ]*' || true); do
      mkdir -p "$root$(dirname "$library")"
      cp -L "$library" "$root$library"
    done
  done
}

image() { # image NAME
  docker build --quiet --tag "landwaiter-test/$1" "$work/$1"
}

(cd "$top" && CGO_ENABLED=0 go build -buildvcs=false -trimpath -o "$work/nats-server" ./test/standin/nats)
root nats "$work/nats-server"
image nats

root redis /usr/bin/redis-server /usr/bin/redis-cli
image redis

root registry /usr/bin/docker-registry
image registry
