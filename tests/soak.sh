#!/usr/bin/env bash
# Runs the tests that take many minutes: a run killed at sixty moments over 200,000 rows, and a
# million rows within the promised memory. Built for release, one after the other, so that nothing
# else disturbs their times. They need about 4 GB of disk in TMPDIR.
#
#   tests/soak.sh [names of tests]
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d "${TMPDIR:-/tmp}/sealift-soak.XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT

TMPDIR=$scratch cargo test --locked --release --test it -- \
    --ignored --nocapture --test-threads 1 "${@:-soak::}"
