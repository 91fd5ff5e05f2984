#!/usr/bin/env bash
# Every fuzz target of the workspace, each for FUZZTIME (20s), FUZZ_JOBS (2) at a
# time with one worker each. FUZZ_PACKAGES narrows the packages (work).
#
# What fuzzing finds it writes to the package's testdata, and the run fails. A
# target that fails without a finding (the engine sometimes cannot stop its
# workers in time) is tried once more.
set -euo pipefail

fuzztime=${FUZZTIME:-20s}
export fuzztime

target() {
  local package=$1 name=$2 log
  log=$(mktemp)
  for try in 1 2; do
    if go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x -parallel 1 "$package" >"$log" 2>&1; then
      echo "ok $package $name: $(grep -o 'execs: [0-9]*' "$log" | tail -1)"
      rm -f "$log"
      return 0
    fi
    if grep -q 'Failing input written' "$log" || [ "$try" -eq 2 ]; then break; fi
  done
  echo "FAILED $package $name"
  tail -40 "$log"
  rm -f "$log"
  return 1
}
export -f target

# The sources name the targets: asking the test binaries would link each of them once more.
# shellcheck disable=SC2086 # several patterns
go list -f '{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}' ${FUZZ_PACKAGES:-work} |
  while read -r package file; do
    if [ -n "$file" ]; then sed -n "s|^func \(Fuzz[A-Za-z0-9_]*\)(.*|$package \1|p" "$file"; fi
  done | xargs --no-run-if-empty -L 1 -P "${FUZZ_JOBS:-2}" bash -c 'target "$1" "$2"' fuzz
