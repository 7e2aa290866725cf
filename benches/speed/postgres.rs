//! PostgreSQL: the plain statement, the usual recipe with pgcrypto, and Sealift.

use std::path::Path;

use crate::measure::{Passes, Program, Table, passes};
use crate::server::Server;
use crate::{Case, Columns};

/// Rows on which the recipe is timed: it needs a second for some 900.
const RECIPE_ROWS: u64 = 2_000;

pub(crate) fn measure(server: &Server, binary: &Path, case: &Case) -> String {
    fill(server, case);
    let mut plain = Vec::new();
    let mut in_place = Vec::new();
    let mut rebuilt = Vec::new();
    for _ in 0..case.repeat {
        plain.push(update(server, case));
        for (strategy, runs) in [("in-place", &mut in_place), ("rebuild", &mut rebuilt)] {
            if case.strategy.as_deref().is_none_or(|wanted| wanted == strategy) {
                let apart = sealift(server, binary, case, strategy, &["backed_up", "verified"]);
                runs.push(apart.with(&sealift(server, binary, case, strategy, &["verified"])));
            }
        }
    }
    // Of large values the recipe takes minutes, and says nothing new.
    let recipe = (case.columns != Columns::Large).then(|| recipe(server, case));
    for database in ["base", "source", "vault"] {
        server.drop(database);
    }
    let mut table = Table::begin(&plain);
    if !in_place.is_empty() {
        table.passes("(c) in place", &in_place);
        table.rate(case.rows, &in_place);
    }
    if !rebuilt.is_empty() {
        table.passes("(d) rebuild", &rebuilt);
    }
    let own = in_place.iter().map(|p| (p.seal + p.rewrite) / case.rows as f64).collect::<Vec<_>>();
    if let Some(recipe) = recipe.filter(|_| !own.is_empty()) {
        table.words(
            &format!("(b) pgcrypto, on {RECIPE_ROWS} rows: ms a row; ÷ (c) seal + rewrite"),
            &format!("{:.2}", recipe * 1e3 / RECIPE_ROWS as f64),
            &format!("{:.0}", recipe / RECIPE_ROWS as f64 / crate::measure::median(own)),
        );
    }
    table.end()
}

fn fill(server: &Server, case: &Case) {
    server.drop("base");
    server.time("postgres", &["CREATE DATABASE base"]);
    let rows = format!(
        "INSERT INTO people
         SELECT i, 'person' || i || '@example.com', lpad((i * 977 % 1000000007)::text, 9, '0'),
                '4' || lpad((i * 7919 % 1000000000000037)::text, 15, '0'), {}
         FROM generate_series(1, {}::bigint) AS i",
        case.columns.city(),
        case.rows
    );
    let mut statements = vec![
        "CREATE TABLE people (
             id bigint PRIMARY KEY, email text NOT NULL, ssn text, pan text, city text)",
        // Values that compress would be small.
        "ALTER TABLE people ALTER COLUMN city SET STORAGE EXTERNAL",
        &rows,
        "CREATE UNIQUE INDEX people_email ON people (email)",
    ];
    let more = [
        "CREATE INDEX people_ssn ON people (ssn)",
        "CREATE INDEX people_pan ON people (pan)",
        "CREATE INDEX people_city_email ON people (city, email)",
        "CREATE INDEX people_pan_city ON people (pan, city)",
    ];
    statements.extend(more.iter().take(usize::from(case.indexes.saturating_sub(2))));
    statements.push("VACUUM ANALYZE people");
    server.time("base", &statements);
}

/// What somebody without a tool would write: one statement.
fn update(server: &Server, case: &Case) -> f64 {
    server.copy("base", "source");
    let sets: Vec<String> =
        case.columns.names().iter().map(|name| format!("{name} = md5({name})")).collect();
    server.time("source", &[&format!("UPDATE people SET {}", sets.join(", "))])
}

/// What the usual recipe is: each value encrypted into a table, then a digest in its place.
fn recipe(server: &Server, case: &Case) -> f64 {
    server.copy("base", "source");
    server.time(
        "source",
        &[
            "CREATE EXTENSION pgcrypto",
            "CREATE TABLE safe (id bigint, name text, digest bytea PRIMARY KEY, value bytea)",
        ],
    );
    let mut statements = Vec::new();
    for &name in case.columns.names() {
        statements.push(format!(
            "INSERT INTO safe SELECT id, '{name}', hmac({name} || id, 'bench only', 'sha256'),
                    pgp_sym_encrypt({name}, 'bench only') FROM people WHERE id <= {RECIPE_ROWS}"
        ));
    }
    let sets: Vec<String> = case
        .columns
        .names()
        .iter()
        .map(|name| format!("{name} = encode(hmac({name} || id, 'bench only', 'sha256'), 'hex')"))
        .collect();
    statements.push(format!("UPDATE people SET {} WHERE id <= {RECIPE_ROWS}", sets.join(", ")));
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    server.time("source", &statements)
}

/// A run that stops behind each of these phases, and goes on.
fn sealift(server: &Server, binary: &Path, case: &Case, strategy: &str, stops: &[&str]) -> Passes {
    server.copy("base", "source");
    server.drop("vault");
    server.time("postgres", &["CREATE DATABASE vault"]);
    let dir = tempfile::tempdir().unwrap();
    let program = Program {
        binary,
        dir: dir.path(),
        source: server.url("source"),
        vault: server.url("vault"),
    };
    program.prepare(case.columns, strategy);
    server.time("postgres", &["CHECKPOINT"]);
    let runs: Vec<_> = stops.iter().map(|phase| program.run(&["run", "--until", phase])).collect();
    check(server, case.columns);
    let took = runs.iter().map(|(took, _)| *took).sum();
    let peak = runs.iter().map(|(_, peak)| *peak).max().unwrap_or(0);
    passes(&server.ledger("vault"), took, peak)
}

/// A figure of a run that did not do its work is worth nothing.
fn check(server: &Server, columns: Columns) {
    for &name in columns.names() {
        let sql = format!(
            "DO $$ BEGIN
                 IF EXISTS (SELECT FROM people WHERE {name} !~ '^slk') THEN
                     RAISE 'an original is left';
                 END IF;
             END $$"
        );
        server.time("source", &[&sql]);
    }
}
