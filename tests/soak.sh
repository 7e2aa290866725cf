#!/usr/bin/env bash
# Runs the tests that take many minutes: a run killed at sixty moments over 200,000 rows, two hundred
# kills by chance over every combination of engines (SEALIFT_SEED=N does the same ones again), sixty
# lives of acts in any order on each engine, eight writers whose last words are known beside a run of
# minutes on each engine, and a million rows within the promised memory. Built for release, one after the
# other, so that nothing else disturbs their times. They need about 4 GB of disk in TMPDIR.
#
#   tests/soak.sh [names of tests]
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d "${TMPDIR:-/tmp}/sealift-soak.XXXXXX")
# Kills over every combination need a server; one is started unless one is named.
. tests/postgres.sh
trap 'postgres_stop; rm -rf -- "$scratch"' EXIT
if [[ -z ${SEALIFT_TEST_POSTGRES_URL:-} ]]; then
    postgres_start
fi

TMPDIR=$scratch cargo test --locked --release --features failpoints --test it -- \
    --ignored --nocapture --test-threads 1 "${@:-soak::}"
