//! Killed at every named place of every pass: the life of a run goes on where it was, and ends where
//! an undisturbed one does.
//!
//! `docs/CRASH-MATRIX.md` is written from the list here: `SEALIFT_BLESS=1 cargo test --test it
//! --features failpoints conformance::places`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::stage::{COLUMNS, Engine, Stage};
use crate::support::{plan_and_approve, to_phase, tokens_open_to};

/// A place, where it is, and what the next command finds and does.
type Place = (&'static str, &'static str, &'static str);

const BACKUP: [Place; 5] = [
    (
        "backup.before_file_ends",
        "a backup file is written, and not on disk",
        "the file is void; its range is walked again",
    ),
    (
        "backup.after_file",
        "the file is on disk, and not on record",
        "the file is void; its range is walked again",
    ),
    ("backup.after_record", "range and file are on record", "goes on with the next range"),
    (
        "backup.before_phase",
        "every range is on record, and the phase is as it was",
        "only the event is written",
    ),
    (
        "backup.after_phase",
        "the phase has moved, and no checkpoint is signed",
        "the next pass begins; it signs the next checkpoint",
    ),
];

const SEAL: [Place; 7] = [
    (
        "seal.after_token_file",
        "tokens are drawn and on disk, and not on record",
        "the file is void; tokens are drawn anew",
    ),
    (
        "seal.after_stage_file",
        "token file and stage file are on disk, and not on record",
        "both are void; tokens are drawn anew",
    ),
    ("seal.after_record", "both files are on record", "goes on with the next file"),
    (
        "seal.after_vault_commit",
        "a batch of entries is in the vault, with the load's cursor",
        "goes on behind the cursor",
    ),
    ("seal.after_load", "every entry is in the vault", "only the event is written"),
    (
        "seal.before_phase",
        "every entry is in the vault, and the phase is as it was",
        "only the event is written",
    ),
    (
        "seal.after_phase",
        "the phase has moved; stage files lie there still",
        "the next pass begins",
    ),
];

const RANGES: [Place; 6] = [
    (
        "rewrite.after_cursor_taken",
        "the range is taken, and no row of it is written",
        "the range is taken again, one epoch later",
    ),
    (
        "rewrite.after_increment_file",
        "an increment is on disk, and not on record",
        "the file is void; the batch is read again",
    ),
    (
        "rewrite.after_vault_commit",
        "increment and entries are in the vault, and the source is as it was",
        "the batch is read again, and finds its increment",
    ),
    (
        "rewrite.before_cursor",
        "a batch is ready, and the source is as it was",
        "the batch is read again",
    ),
    (
        "source.before_commit",
        "cursor and tokens are written, and not committed",
        "the database has neither; the batch is read again",
    ),
    ("rewrite.after_commit", "cursor and tokens are committed", "goes on behind the cursor"),
];

const WINDOW: [Place; 3] = [
    (
        "window.after_image",
        "the newest image of a unit is in backup and vault",
        "it is compared again, and found to be the newest",
    ),
    (
        "window.before_commit",
        "every row of the unit is written, and nothing committed",
        "the database has none of it; the window begins again",
    ),
    ("window.after_commit", "the unit is rewritten", "it is found done"),
];

const WINDOW_AGAIN: [Place; 3] = [
    (
        "window.after_late",
        "what came behind a window is in backup and vault, and the source is as it was",
        "it is looked for again",
    ),
    (
        "window.before_late_commit",
        "what came behind a window is written, and not committed",
        "the database has none of it; it is looked for again",
    ),
    (
        "window.after_late_commit",
        "what came behind a window is tokens",
        "sweeps look once more, then the event",
    ),
];

const REWRITE_ENDS: [Place; 3] = [
    (
        "rewrite.before_phase",
        "every range is done, and the phase is as it was",
        "sweeps look once more, then the event",
    ),
    (
        "sweep.after_commit",
        "an original that came late is a token",
        "sweeps look once more, then the event",
    ),
    (
        "rewrite.after_phase",
        "the phase has moved, and no checkpoint is signed",
        "verification begins",
    ),
];

const VERIFY: [Place; 2] = [
    (
        "verify.before_phase",
        "every cell was compared, and nothing is on record",
        "verification begins again",
    ),
    ("verify.after_phase", "the verified digest is on record", "there is nothing left to do"),
];

const PURGE: [Place; 6] = [
    (
        "purge.after_lock",
        "the source is locked, and nothing is rewritten",
        "the lock died with the process; the purge begins again",
    ),
    (
        "purge.after_scrub",
        "the files are rewritten, and nobody has scanned them",
        "verified, rewritten and scanned again",
    ),
    (
        "purge.before_marker",
        "the files are scanned, and no entry says so",
        "verified, rewritten and scanned again",
    ),
    (
        "purge.after_marker",
        "the ledger says that there is no way back, and the backup is there",
        "only the backup is destroyed",
    ),
    (
        "purge.after_backup_gone",
        "the backup is gone, and its key is there",
        "the key is destroyed, and the event written",
    ),
    (
        "purge.after_phase",
        "the run is purged, and no checkpoint is signed",
        "there is nothing left to do",
    ),
];

const ROLLBACK_BEGINS: [Place; 1] = [(
    "rollback.after_begin",
    "the phase is `rolling_back`, and no row is written",
    "ranges are walked",
)];

const ROLLBACK_WINDOW: [Place; 2] = [
    (
        "rollback.before_window_commit",
        "every original of a unit is written, and nothing committed",
        "the database has none of it; the window begins again",
    ),
    ("rollback.after_window_commit", "the unit has its originals", "it is found done"),
];

const ROLLBACK_RANGES: [Place; 2] = [
    (
        "rollback.before_cursor",
        "a batch is ready, and the source is as it was",
        "the batch is read again",
    ),
    ("rollback.after_commit", "cursor and originals are committed", "goes on behind the cursor"),
];

const ROLLBACK_ENDS: [Place; 3] = [
    (
        "rollback.before_traces",
        "every original is back, and our tables are there",
        "compared again; our tables go",
    ),
    ("rollback.after_traces", "nothing of ours is in the source", "only the event is written"),
    ("rollback.after_phase", "the run is `rolled_back`", "there is nothing left to do"),
];

/// How often a command is begun again because a server has not noticed yet that a process died.
const AGAIN_MAX: u32 = 60;

/// A stage, and the places at which a process has died on it.
struct Life {
    combination: &'static str,
    stage: Stage,
    died_at: BTreeSet<&'static str>,
    deaths: u32,
    begun: Instant,
}

impl Drop for Life {
    /// A line for the table that `tests/all.sh` ends with.
    fn drop(&mut self) {
        let Some(table) = std::env::var_os("SEALIFT_CRASH_TABLE") else { return };
        let lost = if std::thread::panicking() { "LOST or doubled" } else { "nothing lost" };
        let line = format!(
            "{:<30} {:>6} {:>6} {:>5} s   {lost}\n",
            self.combination,
            self.died_at.len(),
            self.deaths,
            self.begun.elapsed().as_secs()
        );
        let file = fs::OpenOptions::new().create(true).append(true).open(table);
        let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()));
    }
}

impl Life {
    /// Has a command die at each of these places, one after the other.
    fn dies(&mut self, arguments: &[&str], places: &[Place]) {
        for (place, _, _) in places {
            self.dies_at(arguments, place);
        }
    }

    #[track_caller]
    fn dies_at(&mut self, arguments: &[&str], place: &'static str) {
        for _ in 0..AGAIN_MAX {
            let mut command = self.stage.desk.command(arguments);
            command.env("SEALIFT_DIE_AT", place);
            let answer = self.stage.desk.finish(command, "");
            match answer.code {
                // A signal ended it.
                -1 => {
                    self.died_at.insert(place);
                    self.deaths += 1;
                    return;
                }
                code if code != 0 && is_held(&answer.stderr) => {
                    std::thread::sleep(Duration::from_millis(250));
                }
                _ => panic!("`{place}` was not reached: {answer}"),
            }
        }
        panic!("`{place}`: the dead process still holds something");
    }

    #[track_caller]
    fn goes_on(&self, arguments: &[&str]) {
        for _ in 0..AGAIN_MAX {
            let answer = self.stage.desk.run(arguments);
            if answer.code == 0 {
                return;
            }
            assert!(is_held(&answer.stderr), "{answer}");
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("the dead process still holds something");
    }

    /// What an application does between seal and rewrite.
    fn application_writes(&mut self) {
        self.stage.exec("UPDATE notes SET body = 'A note that was changed' WHERE code = 'N1'");
        self.stage.exec("UPDATE people SET name = 'Renamed Person' WHERE id = 4000012");
    }

    /// What an application does behind the cursors.
    fn come_late(&mut self) {
        self.stage.exec("INSERT INTO notes VALUES ('zz-late', 'A note that came late')");
        self.stage.exec(
            "INSERT INTO people VALUES (9999999, 'Late Person', 'late@example.com', NULL, 'Here')",
        );
    }

    fn is_sqlite(&self) -> bool {
        matches!(self.stage.engine, Engine::Sqlite(_))
    }

    fn tokenized(&self, run: &str) -> u64 {
        let report = self.stage.desk.run(&["ledger", "export", "--output", &format!("l-{run}")]);
        report.done();
        let path = self.stage.desk.path(&format!("l-{run}")).join("entries.jsonl");
        let entries = fs::read_to_string(path).unwrap();
        let mut entries = entries.lines().map(|line| serde_json::from_str(line).unwrap());
        let is_it =
            |entry: &serde_json::Value| entry["action"] == "rewritten" && entry["run"] == run;
        let entry = entries.rfind(is_it).unwrap();
        entry["counts"]["tokenized"].as_u64().unwrap()
    }
}

fn is_held(said: &str) -> bool {
    ["another process works", "is locked", "locked by another"]
        .iter()
        .any(|word| said.contains(word))
}

/// Dies at every place of a life.
fn lives(combination: &'static str, stage: Stage) {
    let died_at = BTreeSet::new();
    let mut life = Life { combination, stage, died_at, deaths: 0, begun: Instant::now() };

    // An undisturbed run, and back again.
    let run = to_phase(&life.stage.desk, "sealed");
    life.application_writes();
    life.come_late();
    let originals = life.stage.all_cells();
    life.goes_on(&["run", &run]);
    let undisturbed = life.stage.all_cells();
    let tokenized = life.tokenized(&run);
    life.goes_on(&["rollback", &run]);
    assert_eq!(life.stage.all_cells(), originals);
    life.stage.exec("DELETE FROM notes WHERE code = 'zz-late'");
    life.stage.exec("DELETE FROM people WHERE id = 9999999");

    // The same, dying all the way. An earlier state of two rows, so that they change within the run.
    life.stage.exec("UPDATE notes SET body = 'A note as it was' WHERE code = 'N1'");
    life.stage.exec("UPDATE people SET name = 'Person as it was' WHERE id = 4000012");
    let run = plan_and_approve(&life.stage.desk);
    let until = |phase: &'static str| ["run", "--until", phase];
    life.dies(&until("backed_up"), &BACKUP);
    life.goes_on(&until("backed_up"));
    life.dies(&until("sealed"), &SEAL);
    life.goes_on(&until("sealed"));
    life.application_writes();
    let rewrite = until("rewritten");
    life.dies_at(&rewrite, "rewrite.after_bind");
    if life.is_sqlite() {
        life.dies(&rewrite, &WINDOW);
        life.dies(&rewrite, &RANGES);
    } else {
        life.dies(&rewrite, &RANGES);
        life.dies(&rewrite, &WINDOW);
    }
    life.dies_at(&rewrite, "rewrite.before_phase");
    life.come_late();
    life.dies(&rewrite, &WINDOW_AGAIN);
    life.dies_at(&rewrite, "sweep.after_commit");
    life.dies_at(&rewrite, "rewrite.after_phase");
    life.goes_on(&rewrite);
    life.dies(&["run"], &VERIFY);
    life.goes_on(&["run", &run]);
    life.goes_on(&["verify", &run]);

    // Nothing is lost, nothing doubled, and it is what an undisturbed run makes of it.
    assert_eq!(life.tokenized(&run), tokenized, "cells were written once");
    is_as_undisturbed(&mut life, &undisturbed, &originals);
    life.goes_on(&["vault", "check"]);
    life.goes_on(&["backup", "verify", &run]);

    let rollback = ["rollback", run.as_str()];
    life.dies(&rollback, &ROLLBACK_BEGINS);
    life.dies(&rollback, &ROLLBACK_WINDOW);
    life.dies(&rollback, &ROLLBACK_RANGES);
    life.dies(&rollback, &ROLLBACK_ENDS);
    life.goes_on(&["status", &run]);
    assert_eq!(life.stage.all_cells(), originals, "the way back");
    life.stage.is_left_clean();

    // And once more, to the end of which there is no way back.
    let run = to_phase(&life.stage.desk, "purge_approved");
    life.goes_on(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]);
    let purge = ["purge", run.as_str(), "--confirm", run.as_str()];
    life.dies(&purge, &PURGE);
    life.goes_on(&purge);
    is_as_undisturbed(&mut life, &undisturbed, &originals);
    assert!(!life.stage.desk.path("sealift-backup").join(&run).exists(), "the backup is gone");

    let all: BTreeSet<&str> = places().map(|(place, _, _)| place).collect();
    let missed: Vec<&&str> = all.difference(&life.died_at).collect();
    assert!(missed.is_empty(), "nobody died at {missed:?}");
}

#[track_caller]
fn is_as_undisturbed(life: &mut Life, undisturbed: &[Vec<String>], originals: &[Vec<String>]) {
    let now = life.stage.all_cells();
    for (at, column) in COLUMNS.into_iter().enumerate() {
        let is_keyed = matches!(column.2, "email" | "name");
        assert_eq!(now[at].len(), undisturbed[at].len(), "rows of {column:?}");
        if is_keyed {
            assert_eq!(now[at], undisturbed[at], "other tokens than without a death: {column:?}");
        }
        let pairs: Vec<(String, String)> = now[at]
            .iter()
            .cloned()
            .zip(originals[at].iter().cloned())
            .filter(|(_, original)| {
                original != "∅" && !(column.0 == "notes" && original.is_empty())
            })
            .collect();
        assert!(pairs.iter().all(|(token, original)| token != original), "{column:?}");
        tokens_open_to(&life.stage.desk, None, &pairs);
    }
}

fn places() -> impl Iterator<Item = Place> {
    let bind: [Place; 1] = [(
        "rewrite.after_bind",
        "the source bears the vault's name, and no row is written",
        "it is bound already; the rewrite begins",
    )];
    BACKUP
        .into_iter()
        .chain(SEAL)
        .chain(bind)
        .chain(RANGES)
        .chain(WINDOW)
        .chain(WINDOW_AGAIN)
        .chain(REWRITE_ENDS)
        .chain(VERIFY)
        .chain(ROLLBACK_BEGINS)
        .chain(ROLLBACK_WINDOW)
        .chain(ROLLBACK_RANGES)
        .chain(ROLLBACK_ENDS)
        .chain(PURGE)
}

#[test]
fn a_file_in_a_file_of_its_own_dies_everywhere() {
    lives("two files", Stage::sqlite());
}

#[test]
fn vault_and_source_in_one_file_die_everywhere() {
    lives("one file", Stage::one_file());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn postgres_with_its_vault_in_a_file_dies_everywhere() {
    lives("PostgreSQL, vault in a file", Stage::postgres());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_file_with_its_vault_on_postgres_dies_everywhere() {
    lives("a file, vault on PostgreSQL", Stage::sqlite_and_vault_on_postgres());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn postgres_with_its_vault_on_postgres_dies_everywhere() {
    lives("two databases", Stage::postgres_and_vault_on_postgres());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn vault_and_source_in_one_database_die_everywhere() {
    lives("one database", Stage::one_database());
}

/// Every fault, what is promised, and which test shows it.
fn page() -> String {
    let mut page = String::from(HEAD);
    for (place, state, next) in places() {
        writeln!(page, "| `{place}` | {state} | {next} |").unwrap();
    }
    page.push_str(TAIL);
    page
}

const HEAD: &str = "\
# The crash matrix

What is promised when a process, a connection or a server dies, and which test shows it. This page is
written by `tests/conformance/places.rs`, and a test compares it with what the code does.

After each fault the same command is given again. Then **nothing is lost, nothing is doubled, at most
one batch of each worker is done again, and the end is that of an undisturbed run**: the same tokens
where they follow from the value, tokens that open to the same originals elsewhere, the same number of
cells on the ledger, a vault and a backup that hold; after a rollback, the database as it was.

## A process dies at a named place

The program of the tests has these places compiled in (`--features failpoints`); there it ends without
cleaning up, as by a kill. One life dies at all of them, one after the other, in each of six
combinations: vault and source in two files, in one file, source on PostgreSQL with the vault in a file,
the other way round, on two databases, and in one database. Rows change between the passes and one comes
late, so that increments, images and sweeps are met too (`conformance::places`).

| place | the process dies when … | and the next command … |
|---|---|---|
";

const TAIL: &str = "
## At any moment

| fault | shown by |
|---|---|
| killed at twelve moments of a run and twelve of its rollback, in four combinations | `conformance::crash` |
| killed in each pass of a run over every shape of table and value, on SQLite | `lifecycle::crash` |
| killed at sixty moments over 200,000 rows | `lifecycle::crash::soak`, by `tests/soak.sh` |
| killed two hundred times by chance, over six combinations; `SEALIFT_SEED` replays it | `conformance::places::soak`, by `tests/soak.sh` |
| a worker stopped past its lease, and let go on | `workers::stopped` |
| a process that dies beside others of the same run | `workers::joining` |
| acts in any order: plan, approve, run, a death at a named place, pause, rollback, changed tables, an application's writes, an old vault; cut down to the shortest list that breaks a promise, `SEALIFT_SEED` replays it | `conformance::model`; sixty such lives by `tests/soak.sh` |
| a rehearsal that dies, which the next one clears away | `cli::rehearse`, `postgres::rehearse` |

## Writers beside a run

| writers | shown by |
|---|---|
| eight, whose last words are known, beside four workers on PostgreSQL and beside a run on SQLite: each token opens to exactly that, and what is left as an original is what `status` says | `conformance::predicted`; for minutes by `tests/soak.sh` |
| one that never rests, on SQLite, with either journal; one as quick as the sweeps, which is told | `lifecycle::writers` |
| others, between and during the passes, in four combinations | `conformance::writers` |

## Connections, servers, disks

| fault | shown by |
|---|---|
| PostgreSQL stopped at once (`immediate`) in the middle of run and rollback | `conformance::places` |
| a connection refused, reset in the middle of a statement, delayed, half open; a COMMIT without an answer | `postgres::faults` |
| an answer that never comes | `postgres::silence` |
| a full disk under the server | `postgres::faults` |
| a full disk under a source in a file, a vault in a file, the backup; there and back | `lifecycle::full_disk` |
| what `docs/RUNBOOK.md` lists, case by case, and mended as it says | `lifecycle::runbook` |
| a vault that is an older copy | `postgres::checks`, `lifecycle` |
";

#[test]
fn the_page_is_what_the_tests_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CRASH-MATRIX.md");
    if std::env::var_os("SEALIFT_BLESS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert_eq!(written, page(), "SEALIFT_BLESS=1 writes it anew");
}

#[test]
#[ignore = "needs PostgreSQL's programs"]
fn a_server_that_is_stopped_at_once_loses_nothing() {
    use crate::support::{Cluster, Desk, Postgres};

    let server = Cluster::with(&[]);
    let url = server.url();
    let mut db = Postgres::existing(&url);
    db.exec(
        "CREATE TABLE people (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL);
         INSERT INTO people SELECT n, 'Invented ' || n, 'person' || n || '@example.com'
         FROM generate_series(1, 20000) AS n;",
    );
    let rows = "SELECT id || name || email FROM people ORDER BY id";
    let before = db.column(rows);
    drop(db);
    let desk = Desk::between(&url, &url);
    desk.write(
        "shop.toml",
        "[source]\nname = \"people\"\n[[column]]\nname = \"people.email\"\nclass = \"contact\"\n\
         token = \"keyed\"\n[[column]]\nname = \"people.name\"\nclass = \"identity\"\n\
         token = \"random\"\n",
    );
    let run = plan_and_approve(&desk);
    let end = |arguments: [&str; 2], phase: &str| {
        for moment in [300, 700, 1_100, 1_500, 2_000] {
            let mut command = desk.command(&arguments);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            let mut child = command.spawn().unwrap();
            std::thread::sleep(Duration::from_millis(moment));
            server.crash();
            server.start();
            child.wait().unwrap();
        }
        for _ in 0..AGAIN_MAX {
            let _ = desk.run(&arguments);
            if desk.json(&["status", &run]).done().text("phase") == phase {
                return;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("the run does not come to `{phase}`");
    };
    end(["run", &run], "verified");
    desk.run(&["verify", &run]).done();
    end(["rollback", &run], "rolled_back");
    assert_eq!(Postgres::existing(&url).column(rows), before);
}

mod soak {
    use std::fmt::Write as _;
    use std::time::{Duration, Instant};

    use super::super::stage::Stage;
    use super::{AGAIN_MAX, is_held};
    use crate::support::{Seed, plan_and_approve};

    /// Where vault and source lie, and how such a stage is made.
    type Combination = (&'static str, fn() -> Stage);

    /// Kills over all combinations.
    const KILLS: u64 = 204;

    #[test]
    #[ignore = "minutes long: tests/soak.sh runs it"]
    fn two_hundred_kills_by_chance_over_all_combinations_lose_nothing() {
        let named = std::env::var("SEALIFT_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed: u64 = named.unwrap_or_else(|| now().as_secs());
        println!("seed {seed}   (SEALIFT_SEED={seed} does the same again)");
        let mut chance = Seed::new(seed);
        let combinations: [Combination; 6] = [
            ("two files", Stage::sqlite),
            ("one file", Stage::one_file),
            ("PostgreSQL, vault in a file", Stage::postgres),
            ("a file, vault on PostgreSQL", Stage::sqlite_and_vault_on_postgres),
            ("two databases", Stage::postgres_and_vault_on_postgres),
            ("one database", Stage::one_database),
        ];
        let mut table =
            format!("{:<30} {:>6} {:>6} {:>6}\n", "combination", "kills", "lives", "lost");
        let mut lost = 0;
        for (name, stage) in combinations {
            let (kills, lives, failed) = killed(stage(), KILLS / 6, &mut chance);
            lost += failed;
            writeln!(table, "{name:<30} {kills:>6} {lives:>6} {failed:>6}").unwrap();
        }
        println!("{table}");
        assert_eq!(lost, 0, "seed {seed}\n{table}");
    }

    /// Kills, whole lives, and lives that did not end as they should.
    fn killed(mut stage: Stage, wanted: u64, chance: &mut Seed) -> (u64, u64, u64) {
        let before = stage.all_cells();
        let (mut kills, mut lives, mut lost) = (0, 0, 0);
        while kills < wanted {
            let run = plan_and_approve(&stage.desk);
            for verb in ["run", "rollback"] {
                for _ in 0..4 {
                    kills += u64::from(kill(&stage, &[verb, &run], chance.below(900)));
                }
                goes_on(&stage, &[verb, &run]);
                if verb == "run" {
                    lost += u64::from(stage.desk.run(&["verify", &run]).code != 0);
                }
            }
            lives += 1;
            lost += u64::from(stage.all_cells() != before);
        }
        (kills, lives, lost)
    }

    fn goes_on(stage: &Stage, arguments: &[&str]) {
        let begun = Instant::now();
        for _ in 0..AGAIN_MAX {
            let answer = stage.desk.run(arguments);
            if answer.code == 0 {
                return;
            }
            assert!(is_held(&answer.stderr), "after {:?}: {answer}", begun.elapsed());
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("the dead process still holds something");
    }

    /// Whether it was still at work.
    fn kill(stage: &Stage, arguments: &[&str], moment: u64) -> bool {
        let mut command = stage.desk.command(arguments);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        let _ = child.kill();
        !child.wait().unwrap().success()
    }
}
