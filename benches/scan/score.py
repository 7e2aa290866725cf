"""Compares what `sealift scan` and Presidio say of the columns with what is in them.

    SEALIFT=target/release/sealift python score.py DIRECTORY... [--misses FILE] [--large FILE]

Each directory holds `*.sqlite`, `labels.json` (`corpus.py`) and `presidio.json` (`presidio.py`).
A column counts as found where a tool reports anything in it; it counts as rightly named where one of
the reported kinds is among those of its label. Only columns marked `core` count.

Presidio looks at values, not at columns. Here a column is sensitive to it where at least a share of
the values has an entity with at least a score. Share, score, the set of recognisers, and whether
dates and organisations count are those, of all that are tried, that give Presidio its highest F1
*on this very corpus*. Sealift runs as it comes, without any tuning.
"""

import argparse
import itertools
import json
import os
import sqlite3
import subprocess
import time
from collections import Counter, defaultdict
from pathlib import Path

NAMES = ["person_name", "first_name", "last_name"]
PLACES = ["city", "postal_address", "postcode"]
ENTITIES = {
    "PERSON": NAMES, "LOCATION": PLACES, "ORGANIZATION": ["company"], "EMAIL_ADDRESS": ["email"], "PHONE_NUMBER": ["phone"],
    "CREDIT_CARD": ["card"], "IBAN_CODE": ["iban"], "IP_ADDRESS": ["ip"], "MAC_ADDRESS": ["mac"], "DATE_TIME": ["date_of_birth"],
    "CRYPTO": ["wallet"], "NRP": ["belief"], "URL": [], "UK_POSTCODE": ["postcode"],
}
# Other names for the kinds of one label that the scan may use as well.
ALSO = {"date_of_birth": ["birth_date"], "national_id": ["ssn", "tax_id"], "person_name": NAMES, "postal_address": PLACES, "city": PLACES, "postcode": PLACES}
SCORES = [.0, .3, .4, .5, .6, .85]
SHARES = [.0, .05, .1, .2, .3, .4, .5, .7]


def kinds_of(entity):
    """What an entity of Presidio is called here. Numbers of single countries are national ids, but for a few."""
    if entity in ENTITIES:
        return ENTITIES[entity]
    if "PASSPORT" in entity:
        return ["passport", "national_id"]
    if "VEHICLE" in entity or "LICENSE_PLATE" in entity:
        return ["vehicle"]
    return ["national_id", "driving_licence", "bank_account"]


def judge(columns, says):
    """Counts of one tool: `says` gives the kinds for a column's key, empty for nothing."""
    count = Counter()
    for column in columns:
        found, due = says(column["key"]), set(column["kinds"])
        due |= {other for kind in due for other in ALSO.get(kind, [])}
        if due and found:
            count["hit"] += 1
            count["right" if due & found else "misnamed"] += 1
        elif due:
            count["miss"] += 1
        elif found:
            count["false"] += 1
        else:
            count["rest"] += 1
    return count


def ratios(count, right="hit"):
    """Precision, recall, F1; for `right`, of kinds too."""
    reported, due = count["hit"] + count["false"], count["hit"] + count["miss"]
    precision = count[right] / reported if reported else 0.0
    recall = count[right] / due if due else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def scan(binary, path, *more):
    """Seconds and findings of one scan."""
    start = time.perf_counter()
    run = subprocess.run([binary, "scan", "--source", f"sqlite:{path}", "--format", "json", *more], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if run.returncode not in (0, 1):
        print(f"{path}: exit {run.returncode}: {run.stderr}")
        return seconds, []
    out = []
    for line in run.stdout.splitlines():
        whole = json.loads(line)
        out += [one for one in (whole if isinstance(whole, list) else [whole]) if "column" in one]
    return seconds, out


def presidio_says(results, minimum, share, names, dates, organisations):
    """A column's kinds as Presidio has them, under one way of deciding."""
    answer = {}
    for one in results:
        kinds = set()
        by_entity = defaultdict(set)
        for entity, recogniser, hits in one["scores"]:
            if (names is None or recogniser in names) and (dates or entity != "DATE_TIME") and (organisations or entity != "ORGANIZATION"):
                by_entity[entity] |= {place for place, score in hits if score >= minimum}
        for entity, places in by_entity.items():
            if places and len(places) >= share * one["values"]:
                kinds |= set(kinds_of(entity))
        answer[one["key"]] = kinds
    return answer


def line(name, *cells):
    return f"| {name} | " + " | ".join(cells) + " |"


def show(ratio):
    return "{:.3f} / {:.3f} / **{:.3f}**".format(*ratio)


def load(directories, binary):
    """Labels, findings and Presidio's words of all directories; databases by name."""
    labels, results, findings = [], [], defaultdict(list)
    meta = {"seconds": 0.0, "rows": 0, "cells": 0, "scan": 0.0, "pace": []}
    for place, directory in enumerate(directories):
        for one in json.loads((directory / "labels.json").read_text()):
            labels.append({**one, "key": (place, one["db"], one["table"], one["column"])})
        said = json.loads((directory / "presidio.json").read_text())
        for name in ("seconds", "rows", "cells"):
            meta[name] += said[name]
        meta["pace"].append(said["default_rows_per_second"])
        meta.update({name: said[name] for name in ("presidio", "spacy", "model", "default", "recognisers")})
        results += [{**one, "key": (place, one["db"], one["table"], one["column"])} for one in said["columns"]]
        for db in sorted({one["db"] for one in labels if one["key"][0] == place}):
            seconds, found = scan(binary, directory / db)
            meta["scan"] += seconds
            for one in found:
                findings[place, db, one["table"].removeprefix("main."), one["column"]].append(one)
    return labels, results, findings, meta


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directories", nargs="+", type=Path)
    parser.add_argument("--misses", type=Path)
    parser.add_argument("--large", type=Path)
    options = parser.parse_args()
    binary = os.environ.get("SEALIFT", "sealift")
    labels, results, findings, meta = load(options.directories, binary)
    core = [one for one in labels if one["mark"] == "core"]
    best = None
    for minimum, share, names, dates, organisations in itertools.product(SCORES, SHARES, (meta["default"], None), (True, False), (True, False)):
        answer = presidio_says(results, minimum, share, names and set(names), dates, organisations)
        count = judge(core, answer.get)
        if best is None or ratios(count)[2] > best[0]:
            best = (ratios(count)[2], minimum, share, names is None, dates, organisations, answer)
    plain = presidio_says(results, 0, 0, set(meta["default"]), True, False)
    half = presidio_says(results, .5, .2, set(meta["default"]), True, False)
    ours = {key: {one.get("kind") or one.get("class") for one in found} for key, found in findings.items()}
    tools = {"sealift": lambda key: ours.get(key, set()), "Presidio, tuned here": best[6].get,
             "Presidio, score 0.5, 20 %": half.get, "Presidio, any value": plain.get}
    positive = sum(bool(one["kinds"]) for one in core)
    print(f"{len({one['db'] for one in labels})} databases, {len({one['key'][:3] for one in labels})} tables, {len(labels)} columns; "
          f"{len(core)} counted, {positive} of them sensitive\n")
    print(f"Presidio {meta['presidio']}, spaCy {meta['spacy']}, model {Path(meta['model']).parent.name or meta['model']}, "
          f"{len(meta['recognisers'])} recognisers ({len(meta['default'])} by default). Tuned: score ≥ {best[1]}, "
          f"share ≥ {best[2]:.0%}, {'all recognisers' if best[3] else 'default recognisers'}, "
          f"{'with' if best[4] else 'without'} dates, {'with' if best[5] else 'without'} organisations\n")
    print(line("precision / recall / F1", "found", "found and rightly named"), line("---", "---", "---"), sep="\n")
    for name, says in tools.items():
        count = judge(core, says)
        print(line(name, show(ratios(count)), show(ratios(count, "right"))))
    groups = {f"`{prefix}-*`": (lambda one, p=prefix: one["db"].startswith(p + "-")) for prefix in ("telling", "foreign", "short", "opaque")}
    groups |= {f"`{path.name}/`": (lambda one, p=place: one["key"][0] == p) for place, path in enumerate(options.directories)}
    print("\n" + line("found, by group", "columns", *list(tools)[:2]), line("---", "---", "---", "---"), sep="\n")
    for name, within in groups.items():
        part = [one for one in core if within(one)]
        if part:
            print(line(name, str(len(part)), *(show(ratios(judge(part, says))) for says in list(tools.values())[:2])))
    print("\n" + line("recall by kind", "columns", *list(tools)[:2]), line("---", "---", "---", "---"), sep="\n")
    for kind in sorted({one["kinds"][0] for one in core if one["kinds"]}):
        part = [one for one in core if one["kinds"][:1] == [kind]]
        print(line(kind, str(len(part)), *("{:.2f} (named {:.2f})".format(ratios(judge(part, says))[1], ratios(judge(part, says), "right")[1])
                                           for says in list(tools.values())[:2])))
    print(f"\nPresidio: {meta['rows'] / meta['seconds']:.1f} rows/s with all recognisers, "
          f"{sum(meta['pace']) / len(meta['pace']):.1f} with the default ones; sealift: {meta['scan']:.2f} s for all databases, starts included")
    if options.large:
        with sqlite3.connect(options.large) as base:
            names = [row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = sum(base.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names)
        seconds = min(scan(binary, options.large, "--whole")[0] for _ in range(3))
        pace = rows / seconds
        print(f"sealift --whole, {rows} rows in {seconds:.2f} s: {pace:.0f} rows/s, "
              f"{pace / (sum(meta['pace']) / len(meta['pace'])):.0f} times Presidio with its default recognisers")
    if options.misses:
        options.misses.write_text("\n".join(misses(core, findings, ours, labels)))


def misses(core, findings, ours, labels):
    """What went wrong, one column a line."""
    out = []
    for one in core:
        found, due = ours.get(one["key"], set()), set(one["kinds"])
        due |= {other for kind in due for other in ALSO.get(kind, [])}
        what = "MISSED" if due and not found else "FALSE" if found and not due else "NAMED" if due and not due & found else None
        if what:
            detail = "; ".join(f"{f.get('kind')} {f.get('confidence')} {json.dumps(f.get('evidence'))}" for f in findings.get(one["key"], []))
            out.append(f"{what} {one['db']} {one['table']}.{one['column']} due={one['kinds'][:2]} {detail}")
    for one in labels:
        if one["mark"] == "extra" and not ours.get(one["key"]):
            out.append(f"EXTRA {one['db']} {one['table']}.{one['column']} due={one['kinds']}")
    return sorted(out)


if __name__ == "__main__":
    main()
