//! The first load of a domain: aside, without an index, and in its place when it is complete.

use sealift::crypto::VaultId;
use sealift::engine::postgres::vault::PostgresVault;
use sealift::ledger::{Digest, RowSetRoot};
use sealift::lifecycle::RunId;
use sealift::ports::{Change, DomainRow, EntryRow, LoadCursor, Vault, VaultError, VaultHeader};
use sealift::token::{DomainId, TokenBody};
use sealift::value::ValueType;
use tokio::runtime::{Builder, Runtime};

use crate::support::Postgres;

const RUN: RunId = RunId(7);
const DOMAIN: DomainId = DomainId(1);

/// Entries of one batch: enough for a table of their own.
const ENTRIES: u32 = 6_000;

struct Loading {
    db: Postgres,
    runtime: Runtime,
    vault: PostgresVault,
}

fn loading() -> Loading {
    let mut db = Postgres::with("");
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let header = VaultHeader {
        vault: VaultId([1; 16]),
        format: sealift::ports::VAULT_FORMAT,
        created_at: String::new(),
        key_check: Vec::new(),
        origin: String::new(),
        verifier_key: String::new(),
    };
    let domain = DomainRow {
        domain: DOMAIN,
        name: "email".to_owned(),
        class: "contact".to_owned(),
        treatment: "{}".to_owned(),
        mac: Vec::new(),
    };
    let vault = runtime.block_on(async {
        let vault = PostgresVault::create(&db.url(), &header).await.unwrap();
        vault.commit(vec![Change::PutDomain(domain)], Vec::new()).await.unwrap();
        vault
    });
    for run in [7, 8] {
        db.exec(format!(
            "INSERT INTO sealift.run (run, source, policy, policy_hash, plan, fingerprint, phase,
                                      planned_by, planned_at, backup_dir, mac)
             VALUES ({run}, '', '', '', '', '', 'backed_up', '', '', '', '')"
        ));
    }
    Loading { db, runtime, vault }
}

fn entry(number: u32) -> EntryRow {
    EntryRow {
        domain: DOMAIN,
        token: TokenBody::new(&[&[0; 12][..], &number.to_be_bytes()].concat()),
        segment: 1,
        kind: ValueType::Text,
        envelope: number.to_le_bytes().to_vec(),
    }
}

fn entries(from: u32) -> Vec<EntryRow> {
    (from..from + ENTRIES).map(entry).collect()
}

impl Loading {
    fn load(&self, run: RunId, entries: &[EntryRow], done: bool) -> Result<(), VaultError> {
        self.runtime.block_on(async {
            let before = self.vault.load_cursor(run).await.unwrap();
            // INVARIANT: as a load does, so that what it has brought can be counted.
            let entries: Vec<EntryRow> = entries
                .iter()
                .map(|entry| EntryRow { segment: before.segment, ..entry.clone() })
                .collect();
            let after = entries.last().map(|entry| (entry.domain, entry.token.clone()));
            let next = LoadCursor {
                after: after.or(before.after),
                root_state: RowSetRoot::new().encode(),
                entries: before.entries + entries.len() as u64,
                done,
                ..before
            };
            self.vault.load(run, &entries, &next).await.map(|taken| assert_eq!(taken, []))
        })
    }

    /// The entries, whatever segment they came with.
    fn scanned(&self) -> Vec<EntryRow> {
        let mut scanned: Vec<EntryRow> = Vec::new();
        loop {
            let after = scanned.last().map(|entry| (entry.domain, entry.token.clone()));
            let read = self.runtime.block_on(self.vault.scan(after, 100_000)).unwrap();
            if read.is_empty() {
                return scanned;
            }
            scanned.extend(read.into_iter().map(|entry| EntryRow { segment: 1, ..entry }));
        }
    }

    fn tables(&mut self) -> Vec<String> {
        self.db.column(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'sealift'::regnamespace
             AND relkind = 'r' AND (relname LIKE 'entry%' OR relname LIKE 'stage%') ORDER BY 1",
        )
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_domain_that_was_just_loaded_is_read_along_its_index() {
    let mut at = loading();
    // What a server of large tables reckons while it knows no statistics of them.
    let database = at.db.name().to_owned();
    at.db.exec(format!("ALTER DATABASE {database} SET random_page_cost = 10000"));
    at.vault = at.runtime.block_on(PostgresVault::open(&at.db.url())).unwrap();
    at.load(RUN, &entries(0), false).unwrap();
    at.load(RUN, &[], true).unwrap();
    assert_eq!(at.scanned().len(), ENTRIES as usize);
    let Loading { mut db, runtime, vault } = at;
    runtime.block_on(vault.close());
    // A server counts what a session read when the session ends, or somewhat later.
    let mut read = db.rows(READ);
    for _ in 0..100 {
        if read.first().is_some_and(|row| row[0] == "t" || row[0] == "true") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        read = db.rows(READ);
    }
    let rows: u32 = read[0][1].parse().unwrap();
    // All rows were counted once, and once put into the index.
    assert!(rows <= 2 * ENTRIES, "{rows} rows were read as they lie: {read:?}");
}

/// Whether an index of the domain's entries was used, and how many of them were read without one.
const READ: &str = "SELECT (idx_scan > 0)::text, seq_tup_read::text FROM pg_stat_all_tables
    WHERE schemaname = 'sealift' AND relname = 'entry_1'";

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_first_load_is_read_when_it_is_complete_and_not_before() {
    let mut at = loading();
    at.load(RUN, &entries(0), false).unwrap();
    assert_eq!(at.scanned(), []);

    // Cut off here: another session goes on with what is there.
    at.vault = at.runtime.block_on(PostgresVault::open(&at.db.url())).unwrap();
    at.load(RUN, &entries(ENTRIES), false).unwrap();
    at.load(RUN, &[], true).unwrap();

    assert_eq!(at.scanned(), [entries(0), entries(ENTRIES)].concat());
    assert_eq!(at.tables(), ["entry_1"]);
    let index = at.db.value(
        "SELECT conname::text FROM pg_constraint
         WHERE contype = 'p' AND conrelid = 'sealift.entry_1'::regclass",
    );
    assert_eq!(index, "entry_1_pkey");
    let twice = at.db.try_exec("INSERT INTO sealift.entry SELECT * FROM sealift.entry LIMIT 1");
    assert!(twice.is_err(), "a token stands for one value");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_load_does_not_go_on_in_a_vault_that_has_lost_what_it_had_brought() {
    let mut at = loading();
    at.load(RUN, &entries(0), false).unwrap();
    let stage = at.tables().pop().unwrap();
    at.db.exec(format!("DROP TABLE sealift.{stage}"));
    let refused = at.runtime.block_on(at.vault.load_cursor(RUN)).unwrap_err();
    assert!(matches!(refused, VaultError::Inconsistent(_)), "{refused}");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_later_load_adds_to_what_is_there() {
    let mut at = loading();
    at.load(RUN, &entries(0), false).unwrap();
    at.load(RUN, &[], true).unwrap();
    at.load(RunId(8), &entries(ENTRIES), false).unwrap();
    at.load(RunId(8), &[], true).unwrap();
    assert_eq!(at.scanned(), [entries(0), entries(ENTRIES)].concat());
    assert_eq!(at.tables(), ["entry_1"]);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_a_run_left_behind_is_not_mixed_with_the_load_of_another() {
    let mut at = loading();
    at.load(RUN, &entries(0), false).unwrap();
    at.load(RunId(8), &entries(3), false).unwrap();
    at.load(RunId(8), &[], true).unwrap();
    assert_eq!(at.scanned(), entries(3));
    assert_eq!(at.tables(), ["entry_1"]);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_token_that_came_in_during_a_load_is_kept_and_one_that_both_have_is_refused() {
    let at = loading();
    at.load(RUN, &entries(0), false).unwrap();
    let other = entry(2 * ENTRIES);
    at.runtime.block_on(at.vault.insert(None, std::slice::from_ref(&other), &[], None)).unwrap();
    at.load(RUN, &[], true).unwrap();
    assert_eq!(at.scanned().len(), entries(0).len() + 1);

    let at = loading();
    at.load(RUN, &entries(0), false).unwrap();
    at.runtime.block_on(at.vault.insert(None, &[entry(5)], &[], None)).unwrap();
    let refused = at.load(RUN, &[], true).unwrap_err();
    assert!(matches!(refused, VaultError::Inconsistent(_)), "{refused}");
    assert_eq!(at.scanned().len(), 1, "what was there stays as it was");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn large_values_are_read_a_few_at_a_time() {
    let at = loading();
    let large: Vec<EntryRow> =
        (0..12).map(|n| EntryRow { envelope: vec![9; 1 << 20], ..entry(n) }).collect();
    at.load(RUN, &large, false).unwrap();
    at.load(RUN, &[], true).unwrap();
    assert_eq!(at.scanned(), large);
    // At first, and once it has seen how large they are.
    let scan = |after| at.runtime.block_on(at.vault.scan(after, 100_000)).unwrap();
    let first = scan(None);
    assert_eq!(first.len(), 2, "of how large they are nothing is known");
    let last = first.last().map(|entry| (entry.domain, entry.token.clone()));
    assert_eq!(scan(last).len(), 4, "four MiB at a time");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn numbers_that_no_entry_has_are_not_cut_to_some_that_it_has() {
    let mut at = loading();
    at.load(RUN, &entries(0), false).unwrap();
    at.load(RUN, &[], true).unwrap();
    let scan = |at: &Loading| at.runtime.block_on(at.vault.scan(None, 100_000));
    let whole = scan(&at).unwrap();
    let first = "(SELECT token FROM sealift.entry ORDER BY token LIMIT 1)";
    // As somebody with a shell writes them: 1, and a bit where no entry has one.
    for kind in ["0", "-15", "17", "257", "1 + (1 << 12)", "-32768"] {
        at.db.exec(format!("UPDATE sealift.entry SET kind = {kind} WHERE token = {first}"));
        let refused = scan(&at).unwrap_err();
        assert!(refused.to_string().contains("an entry is malformed"), "{kind}: {refused}");
    }
    at.db.exec("UPDATE sealift.entry SET kind = 1 WHERE kind <> 1");
    for segment in ["-1", "-2147483648"] {
        at.db.exec(format!("UPDATE sealift.entry SET segment = {segment} WHERE token = {first}"));
        let read = scan(&at).unwrap();
        assert_eq!((read[0].segment, read[1].segment), (0, whole[1].segment), "{segment}");
    }
}

#[test]
fn a_leaf_that_is_made_apart_is_the_leaf_of_its_row() {
    let mut one = RowSetRoot::new();
    let mut two = RowSetRoot::new();
    for row in entries(0).iter().take(5) {
        let domain = u32::from(row.domain.0);
        one.push(domain, row.token.as_bytes(), &row.envelope).unwrap();
        let leaf: Digest = RowSetRoot::leaf(domain, row.token.as_bytes(), &row.envelope);
        two.append(domain, row.token.as_bytes(), leaf).unwrap();
    }
    assert_eq!(one.root(), two.root());
    assert_eq!(one.encode(), two.encode());
}
