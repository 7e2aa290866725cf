//! Every number of a report is computed again, from the ledger and from the two databases, with
//! queries that share nothing with the program.
//!
//! [`again`] names each place of the report that holds a number, and says what has to stand there. A
//! number at a place that it does not name fails the test.
#![expect(
    clippy::too_many_lines,
    clippy::match_same_arms,
    clippy::unnested_or_patterns,
    reason = "it is a table: a line for each place of a report, in the report's order"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{Answer, Db, Desk, Postgres};

const POLICY: &str = r#"
[source]
name = "people"

[[column]]
name   = "people.email"
class  = "contact"
domain = "email"
token  = "keyed"

[[column]]
name   = "orders.email"
class  = "contact"
domain = "email"
token  = "keyed"

[[column]]
name   = "people.name"
class  = "identity"
token  = "keyed"
waive  = ["low_entropy"]

[[column]]
name   = "people.note"
class  = "contact"
token  = "random"
empty  = "keep"

[[purpose]]
name  = "support_case"
roles = ["support"]
may   = ["detokenize"]
show  = { contact = "plain" }
max_tokens_per_request = 50

[[purpose]]
name  = "audit_sample"
roles = ["auditor_of_names"]
may   = ["detokenize"]
show  = { identity = "masked" }
"#;

/// The columns of the policy, in its order: table, column, domain, what is kept as it is.
const COLUMNS: [(&str, &str, &str, &str); 4] = [
    ("people", "email", "email", "email IS NULL"),
    ("orders", "email", "email", "email IS NULL"),
    ("people", "name", "people.people.name", "name IS NULL"),
    ("people", "note", "people.people.note", "note IS NULL OR note = ''"),
];

fn sql() -> String {
    let mut sql =
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, name TEXT NOT NULL, note TEXT);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
         CREATE TABLE things (id INTEGER PRIMARY KEY, what TEXT);"
            .to_owned();
    for n in 1..=61 {
        let email =
            if n % 7 == 0 { "NULL".to_owned() } else { format!("'person.{n:03}@example.com'") };
        let note = match n % 4 {
            0 => "''".to_owned(),
            1 => "NULL".to_owned(),
            _ => format!("'ring the bell {n} times'"),
        };
        let name = n % 20;
        let row =
            format!("INSERT INTO people VALUES ({n}, {email}, 'Invented Person {name}', {note});");
        sql.push_str(&row);
    }
    for n in 1..=97 {
        let row =
            format!("INSERT INTO orders VALUES ({n}, 'person.{:03}@example.com');", n % 50 + 1);
        sql.push_str(&row);
    }
    sql
}

/// A database, whichever; every column of a query is a number or a text.
trait Asked {
    fn rows(&mut self, sql: String) -> Vec<Vec<String>>;

    fn number(&mut self, sql: &str) -> u64 {
        let cast = format!("SELECT CAST(({sql}) AS TEXT)");
        self.rows(cast)[0][0].parse().unwrap_or_else(|_| panic!("{sql}"))
    }
}

impl Asked for Db {
    fn rows(&mut self, sql: String) -> Vec<Vec<String>> {
        Self::rows(self, sql)
    }
}

impl Asked for Postgres {
    fn rows(&mut self, sql: String) -> Vec<Vec<String>> {
        Self::rows(self, sql)
    }
}

/// What the source held before the run, a column each.
struct Before {
    rows: u64,
    cells: u64,
    nulls: u64,
    empties: u64,
    distinct: u64,
    top: u64,
}

fn before(source: &mut dyn Asked) -> Vec<Before> {
    COLUMNS
        .iter()
        .map(|(table, column, _, kept)| {
            let count = |what: &str| format!("SELECT count(*) FROM {table} WHERE {what}");
            Before {
                rows: source.number(&count("1 = 1")),
                cells: source.number(&count(&format!("NOT ({kept})"))),
                nulls: source.number(&count(&format!("{column} IS NULL"))),
                empties: source.number(&count(&format!("{column} = ''"))),
                distinct: source
                    .number(&format!("SELECT count(DISTINCT {column}) FROM {table} WHERE NOT ({kept})")),
                top: source.number(&format!(
                    "SELECT max(n) FROM (SELECT count(*) AS n FROM {table} WHERE NOT ({kept}) GROUP BY {column}) AS t"
                )),
            }
        })
        .collect()
}

/// All that a number can be computed from.
struct Known {
    before: Vec<Before>,
    /// Cells of each column that hold a token now.
    tokens: Vec<u64>,
    /// The entries of the ledger.
    ledger: Vec<Value>,
    /// Entries of the vault by domain.
    entries: BTreeMap<String, u64>,
    segments: Vec<(u64, u64)>,
    keys: Vec<(u64, u64)>,
    /// Tables, and columns, of the source.
    extent: (u64, u64),
    signed: u64,
}

impl Known {
    fn of(
        before: Vec<Before>,
        source: &mut dyn Asked,
        vault: &mut dyn Asked,
        prefix: &str,
        text: &str,
    ) -> Self {
        let parse = |text: &String| text.parse::<u64>().unwrap();
        let tokens = COLUMNS
            .iter()
            .map(|(table, column, ..)| {
                let is_token = format!("{column} LIKE 'slk%' OR {column} LIKE 'slr%'");
                source.number(&format!("SELECT count(*) FROM {table} WHERE {is_token}"))
            })
            .collect();
        let bodies = vault.rows(format!("SELECT {text} FROM {prefix}ledger ORDER BY sequence"));
        let pairs = |rows: Vec<Vec<String>>| -> Vec<(u64, u64)> {
            rows.iter().map(|row| (parse(&row[0]), parse(&row[1]))).collect()
        };
        let signed = format!("SELECT max(size) FROM {prefix}checkpoint");
        Self {
            before,
            tokens,
            ledger: bodies.iter().map(|row| serde_json::from_str(&row[0]).unwrap()).collect(),
            entries: vault
                .rows(format!(
                    "SELECT d.name, CAST(count(*) AS TEXT) FROM {prefix}entry AS e
                     JOIN {prefix}domain AS d ON d.domain = e.domain GROUP BY d.name"
                ))
                .into_iter()
                .map(|row| (row[0].clone(), parse(&row[1])))
                .collect(),
            segments: pairs(vault.rows(format!(
                "SELECT CAST(segment AS TEXT), CAST(entries AS TEXT) FROM {prefix}segment ORDER BY segment"
            ))),
            keys: pairs(vault.rows(format!(
                "SELECT CAST(key AS TEXT), CAST(version AS TEXT) FROM {prefix}key"
            ))),
            extent: (3, 8),
            signed: vault.number(&signed),
        }
    }

    fn last(&self, actions: &[&str]) -> Option<&Value> {
        self.ledger.iter().rfind(|entry| actions.iter().any(|it| entry["action"] == *it))
    }

    /// What was asked under a purpose.
    fn asked(&self, purpose: &str) -> Vec<&Value> {
        self.ledger.iter().filter(|entry| entry["purpose"] == purpose).collect()
    }

    fn sum(&self, of: impl Fn(&Before) -> u64) -> u64 {
        self.before.iter().map(of).sum()
    }

    /// What the source says of the parts of the equation.
    fn part(&self, name: &str) -> u64 {
        match name {
            "tokenized" => self.tokens.iter().sum(),
            "null" => self.sum(|it| it.nulls),
            "empty" => self.before[3].empties,
            _ => 0,
        }
    }

    fn rows_of_tables(&self) -> u64 {
        self.before[0].rows + self.before[1].rows
    }

    fn cells(&self) -> u64 {
        self.sum(|it| it.rows)
    }
}

/// Every place of a report that holds a number.
fn places(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::Number(_) => into.push(at),
        Value::Array(list) => {
            for (index, it) in list.iter().enumerate() {
                places(it, format!("{at}/{index}"), into);
            }
        }
        Value::Object(map) => {
            for (name, it) in map {
                places(it, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), into);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Holds every number against what it has to be; says how many were.
fn hold(report: &Value, known: &Known) -> (usize, usize) {
    let mut all = Vec::new();
    let mut shown = report.clone();
    // The proofs are checked by their own verifiers.
    shown["proofs"] = Value::Null;
    places(&shown, String::new(), &mut all);
    let (mut held, mut measured) = (0, 0);
    for place in all {
        let found = report.pointer(&place).unwrap();
        match again(report, known, &place) {
            Again::Number(number) => {
                assert_eq!(found.as_u64(), Some(number), "{place}");
                held += 1;
            }
            Again::Share(share) => {
                let found = found.as_f64().unwrap();
                assert!((found - share).abs() < 1e-9, "{place}: {found}, not {share}");
                held += 1;
            }
            Again::Measured => measured += 1,
        }
    }
    (held, measured)
}

enum Again {
    Number(u64),
    Share(f64),
    /// Of a moment that is over: how long it took, how large a file was, what a scan found.
    Measured,
}

fn millis(one: &Value, other: &Value) -> u64 {
    let at = |it: &Value| it.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    u64::try_from(at(other) - at(one)).unwrap()
}

/// What has to stand at a place.
fn again(report: &Value, known: &Known, place: &str) -> Again {
    let parts: Vec<&str> = place.split('/').skip(1).collect();
    let at = |depth: usize| parts[depth].parse::<usize>().unwrap();
    let beside = |name: &str| {
        let (up, _) = place.rsplit_once('/').unwrap();
        report.pointer(&format!("{up}/{name}")).unwrap()
    };
    let number = |value: &Value| Again::Number(value.as_u64().unwrap_or(0));
    let of_column = |name: &str, index: usize| {
        let (column, tokens) = (&known.before[index], known.tokens[index]);
        match name {
            "rows" => Again::Number(column.rows),
            "cells" => Again::Number(column.cells),
            "nulls" => Again::Number(column.nulls),
            "empties" => Again::Number(column.empties),
            "token_shaped" => Again::Number(0),
            "distinct" => Again::Number(column.distinct),
            "top_share" => {
                let exact = |it: u64| f64::from(u32::try_from(it).unwrap());
                Again::Share(exact(column.top) / exact(column.cells))
            }
            "verified" => Again::Number(tokens),
            other => panic!("{other}"),
        }
    };
    match parts.as_slice() {
        ["header", "checkpoint", "size"] => Again::Number(known.signed),
        ["scope", "columns", _, name] => of_column(name, at(2)),
        ["leakage", _, name] => of_column(name, at(1)),
        ["scope", "out_of_scope", "tables"] => Again::Number(known.extent.0 - 2),
        ["scope", "out_of_scope", "columns"] => {
            Again::Number(known.extent.1 - COLUMNS.len() as u64)
        }
        ["plan", verdict] => {
            let verdict = verdict.trim_end_matches('s');
            let findings = report["plan"]["findings"].as_array().unwrap();
            let count = findings
                .iter()
                .filter(|it| it["verdict"].as_str().unwrap().starts_with(verdict))
                .count();
            Again::Number(count as u64)
        }
        ["coverage", _, name, ..] => {
            let table = report["coverage"][at(1)]["tables"][0].as_str().unwrap();
            let ours = || (0..COLUMNS.len()).filter(|it| COLUMNS[*it].0 == table);
            let sum = |of: &dyn Fn(usize) -> u64| ours().map(of).sum::<u64>();
            Again::Number(match (*name, parts.get(3)) {
                ("columns_in_scope", _) => ours().count() as u64,
                ("columns_all", _) => {
                    if table == "people" {
                        4
                    } else {
                        2
                    }
                }
                ("rows", _) => known.before[ours().next().unwrap()].rows,
                ("cells", _) => sum(&|it| known.before[it].rows),
                ("parts", Some(part)) => match report["coverage"][at(1)]["parts"]
                    [part.parse::<usize>().unwrap()]["name"]
                    .as_str()
                    .unwrap()
                {
                    "tokenized" => sum(&|it| known.tokens[it]),
                    "null" => sum(&|it| known.before[it].nulls),
                    "empty" => sum(&|it| if it == 3 { known.before[it].empties } else { 0 }),
                    _ => 0,
                },
                other => panic!("{other:?}"),
            })
        }
        ["counts", "rows"] => Again::Number(known.rows_of_tables()),
        ["counts", "cells"] => Again::Number(known.cells()),
        ["counts", "parts", _, "cells"] => {
            Again::Number(known.part(beside("name").as_str().unwrap()))
        }
        ["verification", "opened"] => Again::Number(known.part("tokenized")),
        ["verification", "mismatches"] => Again::Number(0),
        ["verification", "counts", name] => match *name {
            "opened" => Again::Number(known.part("tokenized")),
            "null" | "empty" => Again::Number(known.part(name)),
            "rows" => Again::Number(known.rows_of_tables()),
            "mismatches" | "waived" => Again::Number(0),
            "entries" => Again::Number(known.entries.values().sum()),
            other => number(&known.last(&["verified"]).unwrap()["counts"][other]),
        },
        ["verification", "segments", _, name] => {
            let segment = known.segments[at(2)];
            Again::Number(if *name == "number" { segment.0 } else { segment.1 })
        }
        ["approvals", "plan_required" | "purge_required"] => Again::Number(1),
        ["approvals", "purge_wait_s"] => Again::Number(0),
        ["keys", _, "id"] => {
            let id = beside("id").as_u64().unwrap();
            assert!(known.keys.iter().any(|key| key.0 == id), "{place}");
            Again::Number(id)
        }
        ["keys", _, "version"] => {
            let id = beside("id").as_u64().unwrap();
            Again::Number(known.keys.iter().find(|key| key.0 == id).unwrap().1)
        }
        ["access", _, "used", name, ..] => {
            let purpose = report["access"][at(1)]["name"].as_str().unwrap();
            Again::Number(used(known, purpose, name, parts.get(4)))
        }
        ["access", _, "max_tokens_per_request"] => {
            Again::Number(if report["access"][at(1)]["name"] == "support_case" { 50 } else { 100 })
        }
        ["timeline", line, "seq"] => {
            // The entries of the run, in order.
            let ours: Vec<&Value> = known
                .ledger
                .iter()
                .filter(|entry| entry["run"] == report["header"]["run"])
                .collect();
            number(&ours[line.parse::<usize>().unwrap()]["seq"])
        }
        ["timeline", _, "counts", name] => {
            let seq = report["timeline"][at(1)]["seq"].as_u64().unwrap();
            number(&known.ledger[usize::try_from(seq).unwrap()]["counts"][name])
        }
        ["controls", _, "entries", _] => {
            let seq = report.pointer(place).unwrap().as_u64().unwrap();
            let entry = &known.ledger[usize::try_from(seq).unwrap()];
            assert_eq!(entry["run"], report["header"]["run"], "{place}");
            Again::Number(seq)
        }
        ["stages", _, "millis"] => Again::Number(millis(beside("from"), beside("until"))),
        ["summary", "figures", figure, "number"] => Again::Number(match *figure {
            "0" | "1" => known.part("tokenized"),
            _ => {
                let scan = if *figure == "2" { "scan_before" } else { "scan_after" };
                let scan = &report["certificate"][scan];
                scan["residue"].as_u64().unwrap() + scan["live"].as_u64().unwrap()
            }
        }),
        ["certificate", scan, "residue" | "live"] => {
            let name = parts[2];
            let files = report["certificate"][*scan]["files"].as_array().unwrap();
            Again::Number(files.iter().map(|file| file[name].as_u64().unwrap()).sum())
        }
        ["certificate", "scan_before" | "scan_after", ..] | ["certificate", "places", ..] => {
            Again::Measured
        }
        ["estimates", _, "actual"] => match beside("what").as_str().unwrap() {
            "vault entries" => Again::Number(known.entries.values().sum()),
            _ => Again::Measured,
        },
        ["estimates", _, "estimated"] => Again::Measured,
        _ => panic!("{place} is a number that nobody explains"),
    }
}

/// What the ledger says of the uses of a purpose.
fn used(known: &Known, purpose: &str, name: &str, further: Option<&&str>) -> u64 {
    let asked = known.asked(purpose);
    let count = |is: &dyn Fn(&Value) -> bool| asked.iter().filter(|entry| is(entry)).count() as u64;
    match (name, further) {
        ("requests", _) => asked.len() as u64,
        ("refused", _) => count(&|it| it["action"].as_str().unwrap().ends_with("_refused")),
        ("passed" | "unreviewed", _) => 0,
        ("domains", Some(domain)) => asked
            .iter()
            .filter_map(|entry| entry["counts"][format!("domain {domain}")].as_u64())
            .sum(),
        ("callers", Some(caller)) => count(&|it| it["actor"] == **caller),
        other => panic!("{other:?}"),
    }
}

/// What has to stand at a place of a report over all runs of the vault.
fn again_over_all(report: &Value, single: &Value, known: &Known, place: &str) -> Again {
    let parts: Vec<&str> = place.split('/').skip(1).collect();
    let at = |depth: usize| parts[depth].parse::<usize>().unwrap();
    let number = |value: &Value| Again::Number(value.as_u64().unwrap());
    let signed = || known.ledger.iter().take(usize::try_from(known.signed).unwrap());
    let found = report.pointer(place).unwrap();
    let asked = |it: &&Value| it["purpose"].is_string();
    match parts.as_slice() {
        ["header", "begin"] | ["ledger", "first" | "heartbeats"] => Again::Number(0),
        ["header", "end" | "checkpoint", ..] | ["ledger", "entries"] => Again::Number(known.signed),
        ["ledger", "last"] => Again::Number(known.signed - 1),
        ["header", "younger"] => Again::Number(known.ledger.len() as u64 - known.signed),
        ["ledger", "acts", _, rest @ ..] => {
            let action = &report["ledger"]["acts"][at(2)]["action"];
            let ours = signed().filter(|entry| entry["action"] == *action);
            Again::Number(match rest {
                ["actors", actor] => ours.filter(|entry| entry["actor"] == **actor).count() as u64,
                _ => ours.count() as u64,
            })
        }
        ["summary", "figures", "0", _]
        | ["states", "0", "runs"]
        | ["totals", "runs" | "counted"]
        | ["columns", _, "runs"]
        | ["controls", _, "runs"] => Again::Number(1),
        ["summary", "figures", "1" | "2", _] | ["states", "0", "tokenized"] => {
            Again::Number(known.part("tokenized"))
        }
        ["summary", "figures", _, _] => Again::Number(signed().filter(asked).count() as u64),
        ["states", "0", "held"] | [_, "restored"] | [_, _, "restored"] => Again::Number(0),
        ["runs", "0", "entries"] => {
            let run = &single["header"]["run"];
            Again::Number(signed().filter(|entry| entry["run"] == *run).count() as u64)
        }
        ["runs", "0", "columns"] => Again::Number(COLUMNS.len() as u64),
        ["runs", "0", rest @ ..] | ["totals", rest @ ..] => match rest {
            ["opened" | "mismatches"] => number(&single["verification"][rest[0]]),
            _ => number(single["counts"].pointer(&format!("/{}", rest.join("/"))).unwrap()),
        },
        ["domains", _, name] => {
            let domain = report["domains"][at(1)]["domain"].as_str().unwrap();
            let ours = || (0..COLUMNS.len()).filter(|it| COLUMNS[*it].2 == domain);
            Again::Number(match *name {
                "columns" => ours().count() as u64,
                "cells" => ours().map(|it| known.before[it].cells).sum(),
                "verified" => ours().map(|it| known.tokens[it]).sum(),
                "purged" => match single["header"]["phase"].as_str().unwrap() {
                    "closed" | "purged" => ours().map(|it| known.tokens[it]).sum(),
                    _ => 0,
                },
                "asked" => {
                    let count = |it: &Value| it["counts"][format!("domain {domain}")].as_u64();
                    signed().filter_map(count).sum()
                }
                other => panic!("{other}"),
            })
        }
        ["columns", _, name] => {
            let column = report["columns"][at(1)]["column"].as_str().unwrap();
            let at = COLUMNS.iter().position(|it| format!("{}.{}", it.0, it.1) == column).unwrap();
            again(
                single,
                known,
                &match *name {
                    "distinct" | "top_share" => format!("/leakage/{at}/{name}"),
                    name => format!("/scope/columns/{at}/{name}"),
                },
            )
        }
        ["purges", "0", "entry"] => number(&known.last(&["purged"]).unwrap()["seq"]),
        ["purges", "0", name] => {
            let scan = name.replace("found", "scan");
            let scan = &single["certificate"][scan];
            Again::Number(scan["residue"].as_u64().unwrap() + scan["live"].as_u64().unwrap())
        }
        ["access", _, "max_tokens_per_request"] => {
            Again::Number(if report["access"][at(1)]["name"] == "support_case" { 50 } else { 100 })
        }
        ["access", _, "used", name, ..] => {
            let purpose = report["access"][at(1)]["name"].as_str().unwrap();
            Again::Number(used(known, purpose, name, parts.get(4)))
        }
        ["keys", ..] => {
            let ids: BTreeSet<u64> = known.keys.iter().map(|key| key.0).collect();
            assert!(!place.ends_with("/id") || ids.contains(&found.as_u64().unwrap()), "{place}");
            number(found)
        }
        ["controls", _, "supported_by"] => {
            let line = &report["controls"][at(1)];
            let is_same =
                |it: &&Value| it["rule"] == line["rule"] && it["control"] == line["control"];
            let control = single["controls"].as_array().unwrap().iter().find(is_same).unwrap();
            Again::Number(u64::from(control["support"] == "supports"))
        }
        ["controls", _, "entries", _] => {
            let seq = found.as_u64().unwrap();
            let entry = &known.ledger[usize::try_from(seq).unwrap()];
            assert_eq!(entry["run"], single["header"]["run"], "{place}");
            Again::Number(seq)
        }
        _ => panic!("{place} is a number that nobody explains"),
    }
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.stdout).unwrap()
}

/// Plans, approves and runs; Carol reads, and is refused once.
fn run_and_read(desk: &Desk, token: &mut dyn FnMut() -> Vec<String>) -> String {
    desk.write("people.toml", POLICY);
    let run = desk.json(&["plan", "--policy", "people.toml"]).done().text("run");
    desk.run_as("bob", &["approve", &run]).done();
    desk.run(&["run", &run]).done();
    let tokens = token();
    let open = |purpose: &str, tokens: &[String]| {
        let mut typed = vec!["detokenize", "--purpose", purpose, "--reason", "a trial"];
        typed.extend(tokens.iter().map(String::as_str));
        desk.run_as("carol", &typed)
    };
    open("support_case", &tokens).done();
    open("support_case", &tokens[..1]).done();
    open("audit_sample", &tokens[..1]).ends(3);
    // A report counts what is signed.
    desk.run(&["ledger", "checkpoint"]).done();
    run
}

fn hold_all(desk: &Desk, run: &str, known: &Known) {
    let single = json(&desk.run(&["report", run, "--format", "json"]).done());
    let (held, measured) = hold(&single, known);
    assert!(held > 150 && measured < held, "{held} held, {measured} measured");
    let all = json(&desk.run(&["report", "--all", "--format", "json"]).done());
    let mut places_of_all = Vec::new();
    let mut shown = all.clone();
    shown["proofs"] = Value::Null;
    places(&shown, String::new(), &mut places_of_all);
    for place in &places_of_all {
        let found = all.pointer(place).unwrap();
        match again_over_all(&all, &single, known, place) {
            Again::Number(number) => assert_eq!(found.as_u64(), Some(number), "{place}"),
            Again::Share(share) => {
                assert!((found.as_f64().unwrap() - share).abs() < 1e-9, "{place}");
            }
            Again::Measured => panic!("{place}"),
        }
    }
    assert!(places_of_all.len() > 150, "{}", places_of_all.len());

    // The guard: a number that is not what the databases say is noticed.
    let mut other = single;
    let cells = other["scope"]["columns"][0]["cells"].as_u64().unwrap();
    other["scope"]["columns"][0]["cells"] = (cells + 1).into();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hold(&other, known)));
    std::panic::set_hook(hook);
    assert!(noticed.is_err());
}

#[test]
fn every_number_of_a_closed_run_follows_from_ledger_and_databases() {
    let desk = Desk::new();
    let mut db = Db::open(&desk.source());
    db.exec(sql());
    let before = before(&mut db);
    drop(db);
    let run = run_and_read(&desk, &mut || {
        Db::reading(&desk.source())
            .column("SELECT email FROM people WHERE email IS NOT NULL ORDER BY id LIMIT 5")
    });
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();
    desk.run(&["report", &run, "--output", "closed.html", "--close"]).done();
    let mut vault = Db::reading(&desk.vault());
    let known = Known::of(
        before,
        &mut Db::reading(&desk.source()),
        &mut vault,
        "sealift_",
        "CAST(body AS TEXT)",
    );
    hold_all(&desk, &run, &known);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL; tests/all.sh sets it"]
fn every_number_of_a_verified_run_follows_from_ledger_and_databases_on_postgres() {
    let mut source = Postgres::with(&sql());
    source.exec("ANALYZE");
    let mut vault = Postgres::with("");
    let desk = Desk::between(&source.url(), &vault.url());
    let before = before(&mut source);
    let run = run_and_read(&desk, &mut || {
        source.column("SELECT email FROM people WHERE email IS NOT NULL ORDER BY id LIMIT 5")
    });
    let known =
        Known::of(before, &mut source, &mut vault, "sealift.", "convert_from(body, 'UTF8')");
    hold_all(&desk, &run, &known);
}
