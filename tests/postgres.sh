# Starts a throw-away PostgreSQL for the tests. To be sourced, by tests/all.sh or by hand:
#
#   . tests/postgres.sh && postgres_start && trap postgres_stop EXIT
#
# It exports SEALIFT_TEST_POSTGRES_URL: the address of a superuser, whose password the tests look
# for in every message. The server listens on loopback and on a socket in its own folder, runs as an
# unprivileged user (PostgreSQL refuses root), and is gone with its folder afterwards. Nothing in it
# outlives a crash, so fsync is off.
# shellcheck shell=bash

# The folder with initdb and pg_ctl: the one of SEALIFT_TEST_POSTGRES_BIN, that of PATH, or the newest
# that Debian has installed.
postgres_binaries() {
    local found
    if [[ -n ${SEALIFT_TEST_POSTGRES_BIN:-} ]]; then
        echo "$SEALIFT_TEST_POSTGRES_BIN"
        return
    fi
    if found=$(command -v initdb) && command -v pg_ctl >/dev/null; then
        dirname "$found"
        return
    fi
    found=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [[ -n $found ]] && dirname "$found"
}

# Runs a command as somebody who is not root.
postgres_as() {
    if ((EUID == 0)); then
        setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$postgres_folder" "$@"
    else
        "$@"
    fi
}

postgres_start() {
    local binaries port attempt
    binaries=$(postgres_binaries) || {
        echo "tests/postgres.sh: initdb and pg_ctl are missing" >&2
        return 2
    }
    # Under /tmp, not TMPDIR: the path of a socket has room for some 100 characters.
    postgres_folder=$(mktemp -d /tmp/sealift-postgres.XXXXXX)
    printf 'an-invented-password' >"$postgres_folder/password"
    ((EUID == 0)) && chown -R nobody:nogroup "$postgres_folder"
    (
        cd "$postgres_folder"
        postgres_as "$binaries/initdb" --pgdata data --username sealift --pwfile password \
            --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 --no-sync
    ) >"/tmp/sealift-initdb.$$" 2>&1 || {
        cat "/tmp/sealift-initdb.$$" >&2
        rm -f "/tmp/sealift-initdb.$$"
        return 2
    }
    rm -f "/tmp/sealift-initdb.$$"
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 30000))
        if (
            cd "$postgres_folder"
            postgres_as "$binaries/pg_ctl" start --wait --silent --pgdata data --log log \
                --options "-p $port -c listen_addresses=127.0.0.1 -c fsync=off \
                    -c unix_socket_directories=$postgres_folder -c max_connections=200 \
                    -c max_prepared_transactions=4 -c wal_level=logical"
        ) >/dev/null; then
            export SEALIFT_TEST_POSTGRES_URL="postgres://sealift:an-invented-password@127.0.0.1:$port/postgres"
            return
        fi
        echo "tests/postgres.sh: attempt $attempt on port $port failed" >&2
    done
    cat "$postgres_folder/log" >&2
    return 2
}

postgres_stop() {
    [[ -n ${postgres_folder:-} ]] || return 0
    local binaries
    binaries=$(postgres_binaries)
    if [[ -d $postgres_folder/replica ]]; then
        (cd "$postgres_folder" && postgres_as "$binaries/pg_ctl" stop --silent --mode immediate --pgdata replica) || true
    fi
    (cd "$postgres_folder" && postgres_as "$binaries/pg_ctl" stop --silent --mode immediate --pgdata data) || true
    rm -rf -- "$postgres_folder"
    unset postgres_folder SEALIFT_TEST_POSTGRES_URL
}

# Makes a streaming replica of the server that postgres_start has started, in the same folder; it is
# gone with it. Exports SEALIFT_TEST_REPLICA_URL.
replica_start() {
    local binaries port attempt server=${SEALIFT_TEST_POSTGRES_URL%/*}
    # Where initdb is a link, its fellows lie where it leads to.
    binaries=$(dirname "$(readlink -f "$(postgres_binaries)/initdb")")
    (
        cd "$postgres_folder"
        postgres_as "$binaries/pg_basebackup" --dbname "$server/postgres?application_name=replica" \
            --pgdata replica --write-recovery-conf --wal-method stream --checkpoint fast --no-sync
    ) >/dev/null || return 2
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 30000))
        if (
            cd "$postgres_folder"
            postgres_as "$binaries/pg_ctl" start --wait --silent --pgdata replica --log replica.log \
                --options "-p $port -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 \
                    -c max_prepared_transactions=4 -c unix_socket_directories=$postgres_folder"
        ) >/dev/null; then
            export SEALIFT_TEST_REPLICA_URL="postgres://sealift:an-invented-password@127.0.0.1:$port/postgres"
            return
        fi
    done
    cat "$postgres_folder/replica.log" >&2
    return 2
}
