//! A vault with a few people in it, made once and copied for each test.

use std::fs;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::support::{Db, Desk, Postgres, exported};

const POLICY: &str = r#"
[source]
name = "people"

[[column]]
name   = "people.email"
class  = "contact"
domain = "email"

[[column]]
name   = "people.pan"
class  = "payment"
domain = "pan"

[[column]]
name   = "people.diagnosis"
class  = "health"
domain = "diagnosis"

[[column]]
name   = "people.nick"
class  = "identity"
domain = "nick"
token  = "random"

[[column]]
name   = "people.alias"
class  = "identity"
domain = "alias"
token  = "random"
dedupe = true

[[purpose]]
name  = "support_case"
roles = ["support"]
may   = ["detokenize", "tokenize"]
show  = { contact = "plain", payment = "last4", identity = "plain" }
max_tokens_per_request = 5000

[[purpose]]
name  = "lookup"
roles = ["support"]
may   = ["search"]
show  = { contact = "match", identity = "match" }

[[purpose]]
name  = "few"
roles = ["support"]
may   = ["detokenize"]
show  = { contact = "plain" }
max_tokens_per_request = 3
max_tokens_per_minute  = 1000
max_tokens_per_day     = 5

[[purpose]]
name  = "mixed"
roles = ["support"]
may   = ["detokenize"]
show  = { contact = "plain" }
pass_originals = true

[[purpose]]
name  = "campaign"
roles = ["marketing"]
may   = ["detokenize"]
show  = { contact = "plain" }

[[purpose]]
name  = "export"
roles = ["support"]
may   = ["detokenize"]
show  = { contact = "plain" }
unlock_above = 2

[[purpose]]
name  = "emergency"
roles = ["support"]
may   = ["detokenize"]
show  = { health = "plain" }
break_glass = true

[[purpose]]
name  = "ended"
roles = ["support"]
may   = ["detokenize"]
show  = { contact = "plain" }
valid_until = 2020-01-01T00:00:00Z

[approval]
plan  = 0
purge = 0
"#;

/// How many people there are.
pub(super) const PEOPLE: u64 = 40;

static BEGINNING: OnceLock<Mutex<Desk>> = OnceLock::new();

/// A desk whose source is rewritten and whose vault is filled.
pub(super) fn desk() -> Desk {
    let beginning = BEGINNING.get_or_init(|| {
        let desk = Desk::new();
        fill(&desk);
        Mutex::new(desk)
    });
    let desk = Desk::bare();
    let saved = beginning.lock().unwrap_or_else(PoisonError::into_inner).save();
    desk.restore(&saved);
    desk
}

/// The same with a vault on PostgreSQL.
pub(super) fn desk_over(postgres: &Postgres) -> Desk {
    let desk = Desk::between("sqlite:shop.db", &postgres.url());
    fill(&desk);
    desk
}

fn fill(desk: &Desk) {
    desk.write("people.toml", POLICY);
    let mut db = Db::open(&desk.source());
    db.exec(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, pan TEXT, diagnosis TEXT,
                              nick TEXT, alias TEXT)",
    );
    for n in 1..=PEOPLE {
        db.exec(format!(
            "INSERT INTO people VALUES ({n}, '{}', '4000 0000 0000 {n:04}', 'ailment {n}',
                                        'nick {n}', 'alias {n}')",
            email(n)
        ));
    }
    drop(db);
    desk.run(&["plan", "--policy", "people.toml"]).done();
    desk.run(&["run"]).done();
}

/// What stood in `people.email`.
pub(super) fn email(n: u64) -> String {
    format!("person{n}.of.nowhere@example.com")
}

/// What stands in a column now.
pub(super) fn token(desk: &Desk, column: &str, n: u64) -> String {
    Db::open(&desk.source()).value(format!("SELECT {column} FROM people WHERE id = {n}"))
}

/// A caller's credential.
pub(super) fn credential(desk: &Desk, caller: &str) -> String {
    fs::read_to_string(desk.path(&format!("{caller}.key"))).unwrap().trim().to_owned()
}

/// The entries of the ledger about requests, oldest first.
pub(super) fn requests(desk: &Desk) -> Vec<serde_json::Value> {
    let entries = fs::read_to_string(exported(desk).join("entries.jsonl")).unwrap();
    let parsed = entries.lines().map(|line| serde_json::from_str(line).unwrap());
    parsed
        .filter(|entry: &serde_json::Value| {
            let action = entry["action"].as_str().unwrap();
            ["detokenize", "tokenize", "search"].iter().any(|verb| action.starts_with(verb))
        })
        .collect()
}

/// What the service logged.
pub(super) fn log(desk: &Desk) -> String {
    fs::read_to_string(desk.path("serve.log")).unwrap()
}
