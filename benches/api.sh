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
port=${PORT:-18461}
bin=${BIN:-}
if [[ -z $bin ]]; then
    cargo build --release --locked
    bin=$(cargo metadata --format-version 1 --no-deps |
        python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')/release/sealift
fi
. tests/postgres.sh
folder=$(mktemp -d "${TMPDIR:-/tmp}/sealift-bench.XXXXXX")
served=
trap '[[ -n $served ]] && kill "$served" 2>/dev/null; wait 2>/dev/null; postgres_stop; rm -rf -- "$folder"' EXIT

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
export SEALIFT_SOURCE=sqlite:source.db SEALIFT_PASSPHRASE="an invented passphrase, for benches only"
export SEALIFT_CREDENTIAL_FILE=alice.key
lua=$PWD/benches/api.lua
fill=$PWD/benches/api_fill.py
cd "$folder"

python3 - <<'P'
import sqlite3
db = sqlite3.connect("source.db")
db.execute("create table people(id integer primary key, email text not null)")
db.execute("insert into people values (1, 'alice@example.com')")
db.commit()
P
cat >policy.toml <<'P'
[source]
name = "people"

[[column]]
name   = "people.email"
class  = "contact"
domain = "email"

[[purpose]]
name  = "bench"
roles = ["reader"]
may   = ["detokenize", "tokenize"]
show  = { contact = "plain" }
max_tokens_per_request = 20000

[approval]
plan  = 0
purge = 0
P
"$bin" init --caller alice --role steward --credential-file alice.key --recovery-file recovery.txt >/dev/null
"$bin" caller add reader --role reader --credential-file reader.key >/dev/null
"$bin" plan --policy policy.toml >/dev/null 2>&1
"$bin" run >/dev/null 2>&1
"$bin" serve --listen "127.0.0.1:$port" >serve.log 2>serve.err &
served=$!
until grep -q listening serve.log 2>/dev/null; do sleep 0.1; kill -0 "$served"; done

echo "## $engine vault, $entries entries, $(nproc) cores, $(date -u +%F), load before: $(cut -d' ' -f1-3 /proc/loadavg)"
python3 "$fill" "http://127.0.0.1:$port" reader.key "$entries" tokens.txt
if [[ $engine == postgres ]]; then
    psql -q "$SEALIFT_VAULT" -c "vacuum analyze sealift.entry" -c checkpoint
fi
export SEALIFT_BENCH_CREDENTIAL SEALIFT_BENCH_TOKENS=$folder/tokens.txt SEALIFT_BENCH_BATCH SEALIFT_BENCH_REASONS
SEALIFT_BENCH_CREDENTIAL=$(tr -d '\n' <reader.key)
load() { # batch, connections, reasons
    SEALIFT_BENCH_BATCH=$1 SEALIFT_BENCH_REASONS=$3 \
        wrk -t2 -c"$2" -d"${seconds}s" --latency -s "$lua" "http://127.0.0.1:$port/v1/detokenize" >wrk.txt
    awk -v batch="$1" -v connections="$2" -v reasons="$3" '
        $1 == "Requests/sec:" { rate = $2 } $1 ~ /^(50|90|99)%$/ { p = p " p" $1 " " $2 }
        /Non-2xx/ { bad = " BAD: " $0 }
        END { printf "%s tokens a request, %s connections, reasons: %s: %.0f requests/s, %.0f tokens/s,%s%s\n",
              batch, connections, reasons, rate, rate * batch, p, bad }' wrk.txt
}
load 1 32 one
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
    for connections in 32; do
        "$(command -v pgbench || echo "$(postgres_binaries)/pgbench")" -n -M prepared -f select.sql \
            -c "$connections" -j 2 -T "$seconds" "$SEALIFT_VAULT" 2>/dev/null |
            awk -v c="$connections" '/^tps/ { printf "pgbench, select by key, %s connections: %.0f selects/s\n", c, $3 }'
    done
fi
kill "$served"; wait "$served" || true; served=
"$bin" ledger export --output ledger >/dev/null
"$bin" ledger verify ledger 2>/dev/null | tail -n 1
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
