# Makes a source, a vault and a service over it, for tests and benches. To be sourced:
#
#   . tests/served.sh
#   served_program [--release]   builds the program; `bin` says where it is, unless BIN does
#   served_start POLICY [PORT]   in the current folder: one person in `people`, moved into the vault
#                                of SEALIFT_VAULT under the policy of this file; `url` says where
#   served_stop                  ends it, and says how it ended
#
# Alice is the steward; whoever else is needed is added in between. Nothing is invented but people.
# shellcheck shell=bash

served_program() {
    bin=${BIN:-}
    [[ -n $bin ]] && return
    cargo build --quiet --locked "$@"
    bin=$(cargo metadata --format-version 1 --no-deps |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    bin=$bin/$([[ ${1:-} == --release ]] && echo release || echo debug)/sealift
}

served_start() {
    export SEALIFT_SOURCE=sqlite:people.db SEALIFT_CREDENTIAL_FILE=alice.key
    export SEALIFT_PASSPHRASE="an invented passphrase, for tests only"
    python3 - <<'P'
import sqlite3
db = sqlite3.connect("people.db")
db.execute("create table people (id integer primary key, email text not null)")
db.execute("insert into people values (1, 'alice@example.com')")
db.commit()
P
    "$bin" init --caller alice --role steward --credential-file alice.key \
        --recovery-file recovery.txt --kdf-memory-mib 64 --kdf-passes 3 >/dev/null
    "$bin" caller add carol --role support --credential-file carol.key >/dev/null
    "$bin" plan --policy "$1" >plan.log 2>&1 || { cat plan.log >&2 && return 1; }
    "$bin" run >run.log 2>&1 || { cat run.log >&2 && return 1; }
    "$bin" serve --listen "127.0.0.1:${2:-0}" >serve.log 2>serve.err &
    served=$!
    until grep -q listening serve.log; do
        kill -0 "$served" 2>/dev/null || { cat serve.err >&2 && return 1; }
        sleep 0.1
    done
    url=$(sed -n 's/^listening on \([^;]*\);.*/\1/p' serve.log)
}

served_stop() {
    [[ -n ${served:-} ]] || return 0
    local ended=0
    kill "$served" 2>/dev/null
    wait "$served" 2>/dev/null || ended=$?
    served=
    return "$ended"
}
