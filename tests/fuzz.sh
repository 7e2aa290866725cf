#!/usr/bin/env bash
# Looks for input that breaks a parser, guided by the branches it takes (libFuzzer, by way of the
# `bolero` crate): each target of tests/fuzz for a minute, two at once. What is found new goes to
# the target's corpus, what breaks it to its crashes, both in tests/fuzz/__fuzz__.
#
#   tests/fuzz.sh [names of targets]
#   FUZZ_SECONDS=600 tests/fuzz.sh policy::policy
#   tests/fuzz.sh --minimise [names of targets]     # each corpus to a few inputs, to be committed
#
# The engine is C++, so a C++ compiler has to be there; a nightly toolchain has not. Without one
# the targets still run as tests, on their corpus and on random input.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v c++ >/dev/null || {
    echo "tests/fuzz.sh: a C++ compiler is missing" >&2
    echo "hint: apt-get install g++" >&2
    exit 2
}

# The flags of `cargo bolero test --sanitizer NONE`, for this one test binary.
flags=(--cfg fuzzing --cfg fuzzing_libfuzzer -Cpasses=sancov-module)
for option in inline-8bit-counters level=4 pc-table trace-compares stack-depth; do
    flags+=("-Cllvm-args=-sanitizer-coverage-$option")
done
# The program itself is built beside the tests, and has no engine to count for it. It is not run.
flags+=(-Clink-arg=-Wl,--unresolved-symbols=ignore-all)
triple=$(rustc -vV | sed -n 's/^host: //p')
built=$(RUSTFLAGS="${flags[*]}" cargo test --locked --test fuzz --no-run --profile fuzz \
    --target "$triple" --message-format json | sed -n 's/.*"executable":"\([^"]*\/fuzz-[^"]*\)".*/\1/p')

act=fuzz_one
if [[ ${1:-} == --minimise ]]; then
    act=minimise
    shift
fi
targets=("$@")
if ((${#targets[@]} == 0)); then
    mapfile -t targets < <("$built" --list --format terse | sed -n 's/: test$//p')
fi

# Runs a target under the engine, with these arguments of its own.
engine() {
    local name=$1
    shift
    BOLERO_TEST_NAME=$name BOLERO_LIBTEST_HARNESS=1 BOLERO_LIBFUZZER_ARGS="$*" \
        "$built" "$name" --exact --nocapture --quiet --test-threads 1
}

fuzz_one() {
    local name=$1 folder="tests/fuzz/__fuzz__/${1//::/__}" log
    mkdir -p "$folder/corpus" "$folder/crashes"
    log=$(mktemp)
    if engine "$name" "$folder/corpus" "$folder/crashes" "-artifact_prefix=$folder/crashes/" \
        -timeout=10 -rss_limit_mb=1024 -max_len=4096 "-max_total_time=${FUZZ_SECONDS:-60}" >"$log" 2>&1; then
        echo "$name: $(sed -n 's/^#\([0-9]*\)\tDONE *cov: \([0-9]*\).*/\1 inputs, \2 branches/p' "$log")"
        rm -f "$log"
    else
        tail -n 40 "$log"
        echo "$name: BROKEN; the input is in $folder/crashes" >&2
        return 1
    fi
}
# Of inputs that take the same branches one is kept, and of the rest the longest: they get furthest.
minimise() {
    local name=$1 folder="tests/fuzz/__fuzz__/${1//::/__}" kept log
    kept=$(mktemp -d)
    log=$(mktemp)
    if ! engine "$name" -merge=1 -set_cover_merge=1 -use_counters=0 -use_cmp=0 -max_len=1024 \
        "$kept" "$folder/corpus" >"$log" 2>&1; then
        tail -n 40 "$log"
        return 1
    fi
    find "$kept" -type f -printf '%s %p\n' | sort -rn | tail -n "+$((INPUTS_MAX + 1))" | cut -d' ' -f2 |
        xargs -r rm
    rm -rf "$folder/corpus" "$log"
    cp -r "$kept" "$folder/corpus"
    chmod 755 "$folder/corpus"
    rm -rf "$kept"
    echo "$name: $(find "$folder/corpus" -type f | wc -l) inputs, $(du -sb "$folder/corpus" | cut -f1) bytes"
}
export -f engine fuzz_one minimise
export built INPUTS_MAX=60
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c "$act {}"
