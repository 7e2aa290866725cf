//! Writers beside several workers: what each wrote last is known, and has to be what a token opens to
//! and what a rollback leaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Desk, Postgres, Seed, plan_and_approve, tokens_open_to};

const PEOPLE: i64 = 2_400;
const WRITERS: i64 = 3;

/// Four partitions: as many ranges, so that as many workers are at work.
const SQL: &str = "CREATE TABLE people (id bigint, region smallint, email text, name text,
        PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE people_0 PARTITION OF people FOR VALUES IN (0);
    CREATE TABLE people_1 PARTITION OF people FOR VALUES IN (1);
    CREATE TABLE people_2 PARTITION OF people FOR VALUES IN (2);
    CREATE TABLE people_3 PARTITION OF people FOR VALUES IN (3);
    INSERT INTO people SELECT i, i % 4, 'person' || i || '@example.com', 'Person ' || i
    FROM generate_series(1, 2400) AS i;";

const POLICY: &str = "[source]\nname = \"shop\"\n
    [[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n
    [[column]]\nname = \"people.name\"\nclass = \"contact\"\ntoken = \"random\"\n
    [[purpose]]\nname = \"support_case\"\nroles = [\"support\"]\nmay = [\"detokenize\"]
    show = { contact = \"plain\" }\nmax_tokens_per_request = 1000\n
    [throttle]\nrows_per_s_max = 800\n";

/// What a row holds, as its writer left it: address and name.
type Row = [Option<String>; 2];

/// One writer, and the rows that only it writes.
struct Writer {
    db: Postgres,
    number: i64,
    seed: Seed,
    rows: BTreeMap<i64, Row>,
    written: i64,
}

impl Writer {
    fn new(url: &str, number: i64) -> Self {
        let own = (1..=PEOPLE).filter(|id| id % WRITERS == number);
        let row = |id| [Some(format!("person{id}@example.com")), Some(format!("Person {id}"))];
        let rows = own.map(|id| (id, row(id))).collect();
        let seed = Seed::new(4_711 + number.unsigned_abs());
        Self { db: Postgres::existing(url), number, seed, rows, written: 0 }
    }

    /// Does one thing to one of its rows.
    fn act(&mut self) {
        self.written += 1;
        let at = usize::try_from(self.seed.below(self.rows.len() as u64)).unwrap();
        let id = *self.rows.keys().nth(at).unwrap();
        let (writer, written) = (self.number, self.written);
        match self.seed.below(12) {
            0..=3 => self.set(id, 0, Some(format!("w{writer}-{written}@example.com"))),
            4..=5 => self.set(id, 1, Some(format!("Written {writer} {written}"))),
            // What it was at first: its token is known, and the newest of its backup is not.
            6 => self.set(id, 0, Some(format!("person{id}@example.com"))),
            7 => self.set(id, 0, None),
            8 => self.set(id, 1, Some(String::new())),
            9 => {
                let id = 1_000_000 * (writer + 1) + written;
                let row = [Some(format!("new{id}@example.com")), Some(format!("New {id}"))];
                self.db.exec(format!(
                    "INSERT INTO people VALUES ({id}, {}, 'new{id}@example.com', 'New {id}')",
                    id % 4
                ));
                self.rows.insert(id, row);
            }
            10 => {
                self.db.exec(format!("DELETE FROM people WHERE id = {id}"));
                self.rows.remove(&id);
            }
            _ => {
                self.db
                    .exec(format!("UPDATE people SET region = (region + 1) % 4 WHERE id = {id}"));
            }
        }
    }

    fn set(&mut self, id: i64, column: usize, value: Option<String>) {
        let name = ["email", "name"][column];
        let told = value.as_ref().map_or_else(|| "NULL".to_owned(), |value| format!("'{value}'"));
        self.db.exec(format!("UPDATE people SET {name} = {told} WHERE id = {id}"));
        self.rows.get_mut(&id).unwrap()[column] = value;
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_writers_wrote_last_beside_several_workers_is_what_tokens_open_to() {
    let mut source = Postgres::with(SQL);
    let vault = Postgres::with("");
    let desk = Desk::between(&source.url(), &vault.url());
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "backed_up", "--workers", "4"]).done();
    let ended = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (url, ended) = (source.url(), Arc::clone(&ended));
            std::thread::spawn(move || {
                let mut writer = Writer::new(&url, number);
                while !ended.load(Ordering::Relaxed) && writer.written < 700 {
                    writer.act();
                    std::thread::sleep(Duration::from_millis(3));
                }
                (writer.rows, writer.written)
            })
        })
        .collect();
    let rewritten = desk.run(&["run", &run, "--until", "rewritten", "--workers", "4"]);
    ended.store(true, Ordering::Relaxed);
    let ended: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    // Writers who never rest may keep the sweeps busy; nobody writes any more now.
    if !rewritten.stderr.contains("kept changing") {
        rewritten.done();
    }
    desk.run(&["run", &run, "--workers", "4"]).done();

    assert!(ended.iter().all(|(_, written)| *written > 100), "too few writes to tell anything");
    let predicted: BTreeMap<i64, Row> = ended.into_iter().flat_map(|(rows, _)| rows).collect();
    let cells =
        "SELECT id::text, coalesce(email, '-'), coalesce(name, '-') FROM people ORDER BY people.id";
    let tokens = source.rows(cells);
    assert_eq!(tokens.len(), predicted.len(), "rows");
    let mut pairs = Vec::new();
    for (row, (id, values)) in tokens.iter().zip(&predicted) {
        assert_eq!(row[0], id.to_string());
        for (token, value) in row[1..].iter().zip(values) {
            match value {
                Some(value) => pairs.push((token.clone(), value.clone())),
                None => assert_eq!(token, "-", "row {id}"),
            }
        }
    }
    tokens_open_to(&desk, None, &pairs);

    desk.run(&["rollback", &run]).done();
    let now = source.rows(cells);
    for (row, (id, values)) in now.iter().zip(&predicted) {
        let values = values.clone().map(|value| value.unwrap_or_else(|| "-".to_owned()));
        assert_eq!(row[1..], values, "row {id}");
    }
}
