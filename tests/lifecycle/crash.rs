//! Killed at any moment: a run that is started again ends where an undisturbed one does.

use std::time::{Duration, Instant};

use crate::support::{
    Answer, Db, Desk, Journal, PASSES, Seed, assert_same, dump, plan_and_approve, shop,
    tokens_open_to,
};

/// Rows whose tokens follow from the vault's keys alone.
// language=SQLite
const KEYED: [&str; 7] = [
    "SELECT id || name || email || ifnull(extra, '') || ifnull(badge, '') FROM customers ORDER BY id",
    "SELECT id || email FROM orders ORDER BY id",
    "SELECT series || number || payer FROM invoices ORDER BY number",
    "SELECT slot || pan FROM cards ORDER BY slot",
    "SELECT tax_id FROM members ORDER BY rowid",
    "SELECT id || ifnull(member, '') FROM visits ORDER BY id",
    "SELECT ifnull(who, '') FROM hearsay ORDER BY rowid",
];

/// Cells whose tokens are drawn.
// language=SQLite
const DRAWN: [&str; 4] = [
    "SELECT ifnull(phone, '') FROM customers ORDER BY id",
    "SELECT ifnull(\"home \"\"address\"\"\", '') FROM customers ORDER BY id",
    "SELECT note FROM orders ORDER BY id",
    "SELECT ifnull(said, '') FROM hearsay ORDER BY rowid",
];

/// How long each step takes when nobody disturbs it.
struct Pace {
    /// Until the vault is unlocked and the work begins.
    begin: Duration,
    steps: Vec<Duration>,
}

/// How often each step was hit while it was at work.
#[derive(Debug, Default)]
struct Hits([u32; 5]);

fn killed_and_resumed(customers: u64, rounds: u64, hits_min: u32) {
    let desk = Desk::new();
    make_keys(&desk);
    shop(&desk, Journal::Delete, customers);
    let before = dump(&desk.source());
    let originals = DRAWN.map(|sql| Db::reading(&desk.source()).column(sql));
    let run = plan_and_approve(&desk);
    let approved = desk.save();

    let mut pace = Pace { begin: Duration::ZERO, steps: Vec::new() };
    for pass in PASSES {
        pace.steps.push(timed(|| desk.run(&["run", &run, "--until", pass])));
    }
    pace.begin = timed(|| desk.run(&["run", &run]));
    let undisturbed = KEYED.map(|sql| Db::reading(&desk.source()).column(sql));
    pace.steps.push(timed(|| desk.run(&["rollback", &run])));
    assert_same(&before, &dump(&desk.source()));

    let mut hits = Hits::default();
    let mut seed = Seed::new(rounds);
    for round in 0..rounds {
        desk.restore(&approved);
        for (step, pass) in PASSES.into_iter().enumerate() {
            let arguments = ["run", &run, "--until", pass];
            let moment = pace.moment(step, round, rounds, &mut seed);
            hits.0[step] += u32::from(killed_at(&desk, &arguments, moment));
            let resumed = desk.json(&arguments).done();
            assert_eq!(resumed.text("phase"), pass, "{resumed}");
        }
        desk.run(&["verify", &run]).done();
        is_as_undisturbed(&desk, &undisturbed, &originals);

        let moment = pace.moment(PASSES.len(), round, rounds, &mut seed);
        hits.0[PASSES.len()] += u32::from(killed_at(&desk, &["rollback", &run], moment));
        desk.run(&["rollback", &run]).done();
        assert_same(&before, &dump(&desk.source()));
    }
    assert!(hits.0.iter().sum::<u32>() > 0, "no kill hit anything");
    assert!(hits.0.iter().all(|&hit| hit >= hits_min), "too few kills hit: {hits:?}");
}

/// Lets the vault make the keys of all domains, so that every round has the same.
fn make_keys(desk: &Desk) {
    shop(desk, Journal::Delete, 1);
    let run = plan_and_approve(desk);
    desk.run(&["run", &run, "--until", "backed_up"]).done();
    desk.run(&["rollback", &run]).done();
    std::fs::remove_file(desk.source()).unwrap();
    std::fs::remove_dir_all(desk.path("sealift-backup")).unwrap();
}

impl Pace {
    /// A moment within a step: each round has its own slice of it, and chance the place in there.
    fn moment(&self, step: usize, round: u64, rounds: u64, seed: &mut Seed) -> Duration {
        let work = self.steps[step].saturating_sub(self.begin);
        let per_mille = (round * 900 + seed.below(900)) / rounds;
        self.begin + work * u32::try_from(per_mille).unwrap() / 1_000
    }
}

fn timed(step: impl FnOnce() -> Answer) -> Duration {
    let start = Instant::now();
    step().done();
    start.elapsed()
}

/// Starts a command and kills it (SIGKILL) after so long; says whether it was still at work.
fn killed_at(desk: &Desk, arguments: &[&str], moment: Duration) -> bool {
    let mut command = desk.command(arguments);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

#[track_caller]
fn is_as_undisturbed(desk: &Desk, undisturbed: &[Vec<String>], originals: &[Vec<String>]) {
    let mut db = Db::reading(&desk.source());
    for (sql, rows) in KEYED.iter().zip(undisturbed) {
        assert!(db.column(*sql) == *rows, "other tokens than without a crash: {sql}");
    }
    for (sql, originals) in DRAWN.iter().zip(originals) {
        let cells = db.column(*sql).into_iter().zip(originals.iter().cloned());
        let pairs: Vec<_> = cells.filter(|(token, _)| !token.is_empty()).collect();
        // All of a small shop, and a sample of a large one: verification has compared every cell.
        let sample = pairs.len().div_ceil(2_000);
        let pairs: Vec<_> = pairs.into_iter().step_by(sample).collect();
        tokens_open_to(desk, None, &pairs);
    }
}

#[test]
fn a_run_killed_in_any_pass_ends_as_if_nothing_had_happened() {
    // Two kills in each of four passes and in the rollback. Where the machine is slow, some come
    // before the work or behind it; which ones do is counted where it matters, in the long test.
    killed_and_resumed(250, 2, 0);
}

mod soak {
    #[test]
    #[ignore = "minutes long: tests/soak.sh runs it"]
    fn a_run_over_200_000_rows_killed_at_sixty_moments_ends_as_if_nothing_had_happened() {
        super::killed_and_resumed(20_000, 12, 5);
    }
}
