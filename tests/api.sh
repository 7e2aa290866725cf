#!/usr/bin/env bash
# Holds the service against its own OpenAPI document: schemathesis (PyPI) sends what the document
# permits and what it forbids, for about a minute, and finds no failure.
#
#   tests/api.sh            builds the program, makes a virtual environment and a vault, and asks
#
# BIN names another binary, VENV a virtual environment with schemathesis in it; SECONDS_MAX and SEED
# are for a longer look.
set -euo pipefail
cd "$(dirname "$0")/.."
version=4.32.5
sqlalchemy=2.1.9
django=5.2.19
docs=$PWD/docs/ACCESS.md
seconds=${SECONDS_MAX:-45}
. tests/served.sh
folder=$(mktemp -d "${TMPDIR:-/tmp}/sealift-api.XXXXXX")
trap 'served_stop || true; rm -rf -- "$folder"' EXIT

venv=${VENV:-$folder/venv}
if [[ ! -x $venv/bin/schemathesis ]]; then
    if ! python3 -m venv "$venv" >"$folder/venv.log" 2>&1 ||
        ! "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version" >>"$folder/venv.log" 2>&1; then
        cat "$folder/venv.log" >&2
        echo "tests/api.sh: schemathesis $version cannot be installed" >&2
        echo "hint: it needs python3-venv and PyPI; or name an environment that has it with VENV" >&2
        exit 2
    fi
fi
served_program
cd "$folder"
# The purposes have the names that the document gives as its examples.
cat >people.toml <<'P'
[source]
name = "people"

[[column]]
name   = "people.email"
class  = "contact"
domain = "email"

[[purpose]]
name  = "support_case"
roles = ["steward"]
may   = ["detokenize", "tokenize"]
show  = { contact = "plain" }
max_tokens_per_request = 100000

[[purpose]]
name  = "onboarding"
roles = ["steward"]
may   = ["tokenize", "search"]
show  = { contact = "match" }
max_tokens_per_request = 100000

[approval]
plan  = 0
purge = 0
P
export SEALIFT_VAULT=sqlite:vault.db
served_start people.toml
if ! "$venv/bin/schemathesis" run "$url/openapi.json" --checks all --max-time "$seconds" \
    --max-examples 200 --seed "${SEED:-4711}" --warnings off --no-color \
    --header "Authorization: Bearer $(cat alice.key)" >schemathesis.log 2>&1; then
    # What it found last: the service logs a line for each of thousands of refusals.
    tail -n 40 serve.err >&2
    cat schemathesis.log >&2
    exit 1
fi
tail -n 12 schemathesis.log

# The programs of docs/ACCESS.md, as they stand there.
"$venv/bin/pip" install --quiet --disable-pip-version-check "sqlalchemy==$sqlalchemy" "django==$django"
python3 - "$docs" <<'P'
import re, sys
page = open(sys.argv[1]).read()
blocks = dict(re.findall(r"^```python (\w+)\n(.*?)^```$", page, re.M | re.S))
for name in ("sqlalchemy", "django"):
    open(name + ".test.py", "w").write(blocks["client"] + "\n\n" + blocks[name])
P
export SEALIFT_URL=$url DATABASE_URL=sqlite:///$folder/people.db DATABASE_FILE=$folder/people.db
sqlite3 people.db "create table customers (id integer primary key, email text);
    insert into customers (email) select email from people"
[[ $("$venv/bin/python" sqlalchemy.test.py) == "2 ['alice@example.com', 'new@example.com']" ]]
[[ $("$venv/bin/python" django.test.py) == "3 ['alice@example.com', 'new@example.com', 'newer@example.com']" ]]
echo "the programs of docs/ACCESS.md do what it says"
if grep -q "a fault of the program" serve.err; then
    cat serve.err >&2
    exit 1
fi
