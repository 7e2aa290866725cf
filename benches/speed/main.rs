//! What a run costs beside a plain `UPDATE` of the same columns, on PostgreSQL and on SQLite.
//!
//! ```text
//! cargo bench --bench speed                        the whole table of `RESULTS.md`, an hour
//! cargo bench --bench speed -- 400000              one size, a few minutes
//! cargo bench --bench speed -- 400000 --indexes 6 --repeat 3 --record
//! ```
//!
//! Sizes are numbers of rows. `--engine postgres|sqlite` keeps to one engine, `--indexes N` to one
//! number of indexes, `--columns distinct|few|large` to one set of columns (`large`: values of 1 MiB),
//! `--strategy in-place|rebuild` to one strategy; `--repeat N` does everything N times, alternating,
//! and takes the medians; `--binary PATH` times another build; `--record` appends what was measured to
//! `benches/RESULTS.md`. `--micro` times single values instead: token, seal, open, detokenize.
//!
//! The server is the bench's own: a new cluster under `/tmp`, `fsync` and `synchronous_commit` on,
//! run by an unprivileged user, gone afterwards. What counts is the ratio within one run: all sides
//! share machine, disk and moment.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench that cannot go on should stop, and its figures are for people"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

mod measure;
mod micro;
mod postgres;
mod server;
mod sqlite;

/// What is measured in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// Rows of the table.
    pub(crate) rows: u64,
    /// Indexes of the table, its primary key among them.
    pub(crate) indexes: u8,
    /// Which columns are in scope.
    pub(crate) columns: Columns,
    /// How often everything is done.
    pub(crate) repeat: usize,
    /// The one strategy that is measured, where not both are.
    pub(crate) strategy: Option<String>,
}

/// Which columns are in scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Three, each value once.
    Distinct,
    /// Three, one of them with 1,000 distinct values.
    Few,
    /// One, each value of 1 MiB: what counts is the memory.
    Large,
}

impl Columns {
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Distinct => &["email", "ssn", "pan"],
            Self::Few => &["email", "ssn", "city"],
            Self::Large => &["city"],
        }
    }

    /// What the column `city` of row `i` holds.
    pub(crate) fn city(self) -> &'static str {
        match self {
            Self::Distinct | Self::Few => "'city ' || i % 1000",
            Self::Large => "i || repeat('0123456789abcdef', 65536)",
        }
    }

    fn say(self) -> &'static str {
        match self {
            Self::Distinct => "3 columns of distinct values",
            Self::Few => "3 columns, one with 1,000 distinct values",
            Self::Large => "1 column of values of 1 MiB",
        }
    }
}

#[derive(Debug, Default)]
struct Asked {
    rows: Vec<u64>,
    engine: Option<String>,
    indexes: Option<u8>,
    columns: Option<Columns>,
    repeat: Option<usize>,
    strategy: Option<String>,
    binary: Option<PathBuf>,
    record: bool,
    micro: bool,
}

fn main() {
    let asked = asked();
    let binary = asked.binary.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_sealift").into());
    let mut report = measure::heading(&binary);
    print!("{report}");
    let is_wanted = |engine: &str| asked.engine.as_deref().is_none_or(|wanted| wanted == engine);
    let mut say = |text: String| {
        print!("{text}");
        report.push_str(&text);
    };
    if asked.micro {
        say(micro::measure());
    }
    if is_wanted("postgres") && !asked.micro {
        let server = server::Server::start();
        say(format!("PostgreSQL {}\n\n", server.version()));
        for case in cases(&asked, &[2, 6], &[Columns::Distinct, Columns::Few]) {
            say(heading("PostgreSQL", &case));
            say(postgres::measure(&server, &binary, &case));
        }
    }
    if is_wanted("sqlite") && !asked.micro {
        for case in cases(&asked, &[3], &[Columns::Distinct]) {
            say(heading("SQLite", &case));
            say(sqlite::measure(&binary, &case));
        }
    }
    if asked.record {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md");
        let mut results = std::fs::read_to_string(&path).unwrap();
        write!(results, "\n{report}").unwrap();
        std::fs::write(path, results).unwrap();
    }
}

fn heading(engine: &str, case: &Case) -> String {
    format!(
        "### {engine}: {} rows, {}, {} indexes, {} time(s)\n\n",
        case.rows,
        case.columns.say(),
        case.indexes,
        case.repeat
    )
}

fn asked() -> Asked {
    let mut asked = Asked::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut next = || args.next().unwrap();
        match arg.as_str() {
            "--engine" => asked.engine = Some(next()),
            "--indexes" => asked.indexes = next().parse().ok(),
            "--columns" => {
                asked.columns = Some(match next().as_str() {
                    "few" => Columns::Few,
                    "large" => Columns::Large,
                    _ => Columns::Distinct,
                });
            }
            "--repeat" => asked.repeat = next().parse().ok(),
            "--strategy" => asked.strategy = Some(next()),
            "--binary" => asked.binary = Some(next().into()),
            "--record" => asked.record = true,
            "--micro" => asked.micro = true,
            // `cargo bench` adds one of its own.
            "--bench" => {}
            number => asked.rows.push(number.parse().unwrap()),
        }
    }
    asked
}

/// What was asked for, or the table that `RESULTS.md` is about.
fn cases(asked: &Asked, indexes: &[u8], columns: &[Columns]) -> Vec<Case> {
    let sizes =
        if asked.rows.is_empty() { vec![100_000, 400_000, 4_000_000] } else { asked.rows.clone() };
    let mut cases = Vec::new();
    for rows in sizes {
        for number in asked.indexes.map_or_else(|| indexes.to_vec(), |number| vec![number]) {
            for set in asked.columns.map_or_else(|| columns.to_vec(), |set| vec![set]) {
                // The largest table tells how the time grows; one shape of it is enough.
                let is_large = rows > 1_000_000 && asked.rows.is_empty();
                if is_large && (number > 3 || set == Columns::Few) {
                    continue;
                }
                let repeat = asked.repeat.unwrap_or(if rows > 1_000_000 { 1 } else { 3 });
                let strategy = asked.strategy.clone();
                cases.push(Case { rows, indexes: number, columns: set, repeat, strategy });
            }
        }
    }
    cases
}
