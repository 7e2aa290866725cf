#!/usr/bin/env bash
# Makes the pictures of this folder: the last screen of the demo, its report and its plan, as a real
# browser shows them, 1280 and 390 pixels wide. What it needs it installs where it may.
#
#   docs/pictures/make.sh                        builds the program, then makes them
#   SEALIFT=target/release/sealift docs/pictures/make.sh
#   CUSTOMERS=2000 docs/pictures/make.sh         a smaller demo
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

# Commands, and the Debian packages that bring them.
need=(chromium:chromium node:nodejs pngquant:pngquant python3:python3)
packages=()
for pair in "${need[@]}"; do
    command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
done
# Names in the scripts of East Asia are drawn as boxes without a font for them.
fc-list :lang=ja 2>/dev/null | grep -q . || packages+=(fonts-noto-cjk)
if ((${#packages[@]})); then
    as_root=()
    if ((EUID != 0)) && sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
    fi
    if ! command -v apt-get >/dev/null || { ((EUID != 0)) && ((${#as_root[@]} == 0)); }; then
        echo "make.sh: these packages are missing: ${packages[*]}" >&2
        echo "hint: install them and run this again" >&2
        exit 2
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

if [[ -z ${SEALIFT:-} ]]; then
    cargo build --release --manifest-path "$root/Cargo.toml"
    SEALIFT=${CARGO_TARGET_DIR:-$root/target}/release/sealift
fi
SEALIFT=$(realpath "$SEALIFT")

scratch=$(mktemp -d "${TMPDIR:-/tmp}/sealift-pictures.XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT

# The demo is run once for each width, in a folder with a short name, by a program that is on the
# path: as it looks where somebody has installed it.
mkdir "$scratch/bin" "$scratch/pages"
ln -s "$SEALIFT" "$scratch/bin/sealift"
export PATH=$scratch/bin:$PATH
for columns in 80 44; do
    folder=${TMPDIR:-/tmp}/sealift-demo
    if [[ -e $folder ]]; then
        echo "make.sh: \`$folder\` is there already" >&2
        echo "hint: it is shown in the pictures, so that it has to be free; remove it" >&2
        exit 2
    fi
    trap 'rm -rf -- "$scratch" "$folder"' EXIT
    env -u NO_COLOR COLUMNS="$columns" sealift --color always demo --customers "${CUSTOMERS:-100000}" \
        --keep "$folder" >"$scratch/demo-$columns.txt"
    # The last screen begins behind the rule; what stands before it is one line a step.
    sed '1,/──/d' "$scratch/demo-$columns.txt" |
        python3 "$here/ansi.py" >"$scratch/pages/demo-$columns.html"
    cp "$folder/report.html" "$folder/plan.html" "$scratch/pages/"
    rm -rf -- "$folder"
done

# The demo has one run: a quarter of several is the invented one of the tests.
cp "$root/tests/report/quarter.html" "$scratch/pages/period.html"

node "$here/shoot.mjs" "$scratch/pages" "$scratch"
for picture in "$scratch"/*.png; do
    colours=64
    # Ten screens one below the other: letters and four tones are all that is looked for there.
    [[ $picture == *-whole-* ]] && colours=16
    pngquant "$colours" --nofs --speed 1 --strip --force --output "$picture" -- "$picture"
    cp "$picture" "$here/"
done
ls -l "$here"/*.png
