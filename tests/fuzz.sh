#!/usr/bin/env bash
# Looks for input that breaks a parser, guided by the branches it takes (libFuzzer, by way of the
# `bolero` crate): each target of tests/fuzz for a minute, two at once. What is found new goes to
# the target's corpus, what breaks it to its crashes, both in tests/fuzz/__fuzz__.
#
#   tests/fuzz.sh [names of targets]
#   FUZZ_SECONDS=600 tests/fuzz.sh policy::policy
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

targets=("$@")
if ((${#targets[@]} == 0)); then
    mapfile -t targets < <("$built" --list --format terse | sed -n 's/: test$//p')
fi

fuzz_one() {
    local name=$1 folder="tests/fuzz/__fuzz__/${1//::/__}" log
    mkdir -p "$folder/corpus" "$folder/crashes"
    log=$(mktemp)
    if BOLERO_TEST_NAME=$name BOLERO_LIBTEST_HARNESS=1 BOLERO_LIBFUZZER_ARGS="$folder/corpus $folder/crashes \
-artifact_prefix=$folder/crashes/ -timeout=10 -rss_limit_mb=1024 -max_len=4096 -max_total_time=${FUZZ_SECONDS:-60}" \
        "$built" "$name" --exact --nocapture --quiet --test-threads 1 >"$log" 2>&1; then
        echo "$name: $(sed -n 's/^#\([0-9]*\)\tDONE *cov: \([0-9]*\).*/\1 inputs, \2 branches/p' "$log")"
        rm -f "$log"
    else
        tail -n 40 "$log"
        echo "$name: BROKEN; the input is in $folder/crashes" >&2
        return 1
    fi
}
export -f fuzz_one
export built
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'fuzz_one {}'
