#!/usr/bin/env bash
# Runs every test that a change has to pass: unit tests, documentation, and the binary end to end.
# What it needs it installs where it may, and names where it may not. It leaves nothing behind.
#
#   tests/all.sh [arguments of `cargo test`, without those behind `--`]
#
# The tests against PostgreSQL run too: on the server of SEALIFT_TEST_POSTGRES_URL (a superuser's
# address; they make databases of their own there and drop them), else on one that is started here.
set -euo pipefail
cd "$(dirname "$0")/.."

# Commands, and the Debian packages that bring them.
need=(cargo: curl:curl python3:python3 ensurepip:python3-venv sqlite3:sqlite3 setpriv:util-linux
    pgbouncer:pgbouncer openssl:openssl chromium:chromium npm:npm)

# A server is started here unless one is named.
. tests/postgres.sh
if [[ -z ${SEALIFT_TEST_POSTGRES_URL:-} && -z $(postgres_binaries) ]]; then
    need+=(initdb:postgresql)
fi

missing=()
for pair in "${need[@]}"; do
    case ${pair%%:*} in
    ensurepip) python3 -c 'import ensurepip' 2>/dev/null || missing+=("$pair") ;;
    *) command -v "${pair%%:*}" >/dev/null || missing+=("$pair") ;;
    esac
done

if ((${#missing[@]})); then
    packages=()
    for pair in "${missing[@]}"; do
        if [[ -z ${pair#*:} ]]; then
            echo "tests/all.sh: \`${pair%%:*}\` is missing" >&2
            echo "hint: install Rust from https://rustup.rs" >&2
            exit 2
        fi
        packages+=("${pair#*:}")
    done
    as_root=()
    if ((EUID != 0)) && sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
    fi
    if ! command -v apt-get >/dev/null || { ((EUID != 0)) && ((${#as_root[@]} == 0)); }; then
        echo "tests/all.sh: these packages are missing: ${packages[*]}" >&2
        echo "hint: install them and run this again" >&2
        exit 2
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}"
fi

# Every database of the tests lies in here, also that of a test that was cut short.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/sealift-tests.XXXXXX")
trap 'postgres_stop; rm -rf -- "$scratch"' EXIT
if [[ -z ${SEALIFT_TEST_POSTGRES_URL:-} ]]; then
    postgres_start
fi

# A test waits for a third of its time: one more of them than there are cores keeps these busy.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) + 1))}

# What is ignored needs that server, or many minutes: the latter is what tests/soak.sh is for.
# With the places at which a test can have the program die.
table=$scratch/crash-table
status=0
SEALIFT_CRASH_TABLE=$table TMPDIR=$scratch \
    cargo test --locked --features failpoints "$@" -- --include-ignored --skip soak:: || status=$?

# The service against its own OpenAPI document, for about a minute.
if ((status == 0)); then
    TMPDIR=$scratch tests/api.sh || status=$?
fi

# What docs/CRASH-MATRIX.md lists, as it went just now.
if [[ -s $table ]]; then
    printf '\n%-30s %6s %6s %7s\n' "dead at every place, with" places deaths time
    sort "$table"
fi
exit "$status"
