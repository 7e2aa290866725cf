#!/usr/bin/env bash
# How fast values come back over HTTP, beside `pgbench` selecting the same rows by key.
#
#   benches/api.sh [ENTRIES]            default: 1,000,000; ENGINE=sqlite for a vault in a file
#
# It starts a PostgreSQL of its own (fsync on, 1 GB of shared buffers), makes a vault, fills it
# through `POST /v1/tokenize`, and loads `sealift serve` with `wrk` on the same machine. The ledger is
# on. It needs wrk, python3, and for PostgreSQL initdb and pgbench; BIN names another binary.
set -euo pipefail
cd "$(dirname "$0")/.."
entries=${1:-1000000}
engine=${ENGINE:-postgres}
seconds=${SECONDS_EACH:-10}
. tests/postgres.sh
. tests/served.sh
served_program --release
folder=$(mktemp -d "${TMPDIR:-/tmp}/sealift-bench.XXXXXX")
trap 'served_stop || true; postgres_stop; rm -rf -- "$folder"' EXIT

if [[ $engine == postgres ]]; then
    postgres_start
    server_port=${SEALIFT_TEST_POSTGRES_URL##*:}
    server_port=${server_port%%/*}
    # What is measured is a server that does not lose what it says it has.
    psql -q "$SEALIFT_TEST_POSTGRES_URL" -c "alter system set fsync = on" \
        -c "alter system set shared_buffers = '1GB'" -c "alter system set max_wal_size = '8GB'" \
        -c "alter system set wal_level = 'replica'"
    (cd "$postgres_folder" && postgres_as "$(postgres_binaries)/pg_ctl" restart --wait --silent \
        --pgdata data --log log --options "-p $server_port -c listen_addresses=127.0.0.1 -c max_connections=200 \
            -c unix_socket_directories=$postgres_folder") >/dev/null
    psql -q "$SEALIFT_TEST_POSTGRES_URL" -c "create database vault"
    export SEALIFT_VAULT=${SEALIFT_TEST_POSTGRES_URL%/*}/vault
else
    export SEALIFT_VAULT=sqlite:vault.db
fi
lua=$PWD/benches/api.lua
fill=$PWD/benches/api_fill.py
cd "$folder"
cat >people.toml <<'P'
[source]
name = "people"

[[column]]
name   = "people.email"
class  = "contact"
domain = "email"

[[purpose]]
name  = "bench"
roles = ["support"]
may   = ["detokenize", "tokenize"]
show  = { contact = "plain" }
max_tokens_per_request = 20000

[approval]
plan  = 0
purge = 0
P
served_start people.toml

echo "## $engine vault, $entries entries, $(nproc) cores, $(date -u +%F), load before: $(cut -d' ' -f1-3 /proc/loadavg)"
python3 "$fill" "$url" carol.key "$entries" tokens.txt
if [[ $engine == postgres ]]; then
    psql -q "$SEALIFT_VAULT" -c "vacuum analyze sealift.entry" -c checkpoint
fi
export SEALIFT_BENCH_CREDENTIAL SEALIFT_BENCH_TOKENS=$folder/tokens.txt SEALIFT_BENCH_BATCH SEALIFT_BENCH_REASONS
SEALIFT_BENCH_CREDENTIAL=$(tr -d '\n' <carol.key)
load() { # batch, connections, reasons
    SEALIFT_BENCH_BATCH=$1 SEALIFT_BENCH_REASONS=$3 \
        wrk -t2 -c"$2" -d"${seconds}s" --latency -s "$lua" "$url/v1/detokenize" >wrk.txt
    awk -v batch="$1" -v connections="$2" -v reasons="$3" '
        $1 == "Requests/sec:" { rate = $2 } $1 ~ /^(50|90|99)%$/ { p = p " p" $1 " " $2 }
        /Non-2xx/ { bad = " BAD: " $0 }
        END { printf "%s tokens a request, %s connections, reasons: %s: %.0f requests/s, %.0f tokens/s,%s%s\n",
              batch, connections, reasons, rate, rate * batch, p, bad }' wrk.txt
}
load 1 32 one | tee one.txt
load 1 32 each
load 1 128 each
load 1000 4 each
load 1000 8 each
if [[ $engine == postgres ]]; then
    domain=$(psql -qAt "$SEALIFT_VAULT" -c "select domain from sealift.domain where name = 'email'")
    psql -q "$SEALIFT_VAULT" -c "create table sealift_bench as
        select row_number() over () as id, token from (select token from sealift.entry order by random() limit 100000) t" \
        -c "create unique index on sealift_bench (id)" -c "vacuum analyze sealift_bench"
    echo "\\set id random(1, 100000)
select e.envelope from sealift_bench b join sealift.entry e on e.domain = $domain and e.token = b.token where b.id = :id;" >select.sql
    "$(command -v pgbench || echo "$(postgres_binaries)/pgbench")" -n -M prepared -f select.sql \
        -c 32 -j 2 -T "$seconds" "$SEALIFT_VAULT" 2>/dev/null >pgbench.txt
    awk 'FNR == NR { for (i = 2; i <= NF; i++) if ($i ~ /^requests\/s/) ours = $(i - 1); next }
        /^tps/ { printf "pgbench, select by key, 32 connections: %.0f selects/s; requests are %.2f of that\n", $3, ours / $3 }' \
        one.txt pgbench.txt
fi
served_stop
"$bin" ledger export --output ledger >/dev/null
"$bin" ledger verify ledger 2>/dev/null | tail -n 1
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
