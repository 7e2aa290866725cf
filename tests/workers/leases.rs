//! The leases themselves, two processes at a time, without a run around them.

use sealift::engine::postgres::vault::PostgresVault;
use sealift::lifecycle::RunId;
use sealift::ports::{Change, CutState, Holder, Piece, Rate, Task, Vault as _, VaultError};
use sealift::value::{KeyPart, RowKey};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Desk, Postgres};

/// A vault, and two sessions with it.
struct Two {
    _desk: Desk,
    database: Postgres,
    runtime: Runtime,
    one: PostgresVault,
    other: PostgresVault,
}

impl Two {
    fn open() -> Self {
        let database = Postgres::with("");
        let desk = Desk::between("sqlite:shop.db", &database.url());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let one = runtime.block_on(PostgresVault::open(&database.url())).unwrap();
        let other = runtime.block_on(PostgresVault::open(&database.url())).unwrap();
        Self { _desk: desk, database, runtime, one, other }
    }
}

const RUN: RunId = RunId(7);

fn holder(worker: &str) -> Holder {
    Holder { worker: worker.to_owned(), slot: 1 }
}

fn piece(task: Task, range: u32) -> Piece {
    Piece { run: RUN, task, unit: 0, table: 0, range, lower: None, upper: None }
}

fn key(number: u32) -> RowKey {
    RowKey(vec![KeyPart::text(&number.to_string())])
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_lease_that_was_passed_on_records_nothing() {
    let mut two = Two::open();
    let lease = two.runtime.block_on(async {
        two.one.add_pieces(&[(piece(Task::Rewrite, 0), 4)]).await.unwrap();
        let lease = two.one.take_piece(RUN, Task::Rewrite, &holder("one"), 1).await.unwrap();
        let lease = lease.expect("it is free");
        assert_eq!(lease.epoch, 5, "it begins where the source's cursor is");
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        let taken = two.other.take_piece(RUN, Task::Rewrite, &holder("other"), 60_000).await;
        assert_eq!(taken.unwrap().expect("it has run out").epoch, 6);
        let again = two.one.take_piece(RUN, Task::Rewrite, &holder("one"), 60_000).await.unwrap();
        assert!(again.is_none(), "somebody holds it");
        lease
    });
    two.one.hold(Some(lease.clone()));
    let rate = Change::SetRate { run: RUN, rate: Rate::RowsPerS(1) };
    let written = two.runtime.block_on(two.one.commit(vec![rate.clone()], Vec::new()));
    assert!(matches!(written, Err(VaultError::LeaseLost { .. })), "{written:?}");
    let done = Change::PieceDone(lease);
    two.one.hold(None);
    let marked = two.runtime.block_on(two.one.commit(vec![rate, done], Vec::new()));
    assert!(matches!(marked, Err(VaultError::LeaseLost { .. })), "{marked:?}");
    assert_eq!(two.database.value("SELECT count(*)::text FROM sealift.rate"), "0");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_renewed_lease_is_kept_and_a_fenced_one_is_nobodys() {
    let two = Two::open();
    two.runtime.block_on(async {
        two.one.add_pieces(&[(piece(Task::Seal, 3), 0)]).await.unwrap();
        let lease = two.one.take_piece(RUN, Task::Seal, &holder("one"), 60_000).await.unwrap();
        let lease = lease.unwrap();
        let taken = two.other.take_piece(RUN, Task::Seal, &holder("other"), 60_000).await.unwrap();
        assert!(taken.is_none(), "it is held");
        // The answer was lost, and the worker asks again: it is the same piece.
        let again = two.one.take_piece(RUN, Task::Seal, &holder("one"), 60_000).await.unwrap();
        assert_eq!(again.unwrap().piece, lease.piece);
        two.other.fence(RUN).await.unwrap();
        two.one.hold(Some(lease));
        let rate = Change::SetRate { run: RUN, rate: Rate::Unlimited };
        let written = two.one.commit(vec![rate], Vec::new()).await;
        assert!(matches!(written, Err(VaultError::LeaseLost { .. })), "{written:?}");
    });
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn two_that_cut_at_the_same_moment_cut_one_range() {
    let two = Two::open();
    two.runtime.block_on(async {
        let cut = |number: u32, lower: Option<u32>, upper: Option<u32>| Piece {
            lower: lower.map(key),
            upper: upper.map(key),
            ..piece(Task::Backup, number)
        };
        let first = cut(0, None, Some(10));
        let taken = two.one.cut_piece(&first, None, &holder("one"), 60_000).await.unwrap();
        assert!(taken.is_some());
        let late = two.other.cut_piece(&first, None, &holder("other"), 60_000).await.unwrap();
        assert!(late.is_none(), "both have the first range");
        // Both have seen the same end, and count on another number.
        let next = cut(1, Some(10), Some(20));
        let same_end = cut(2, Some(10), Some(20));
        assert!(two.one.cut_piece(&next, Some(0), &holder("one"), 60_000).await.unwrap().is_some());
        let late = two.other.cut_piece(&same_end, Some(0), &holder("other"), 60_000).await.unwrap();
        assert!(late.is_none(), "one range was cut twice");
        let state = two.other.cut_state(RUN, 0, 0).await.unwrap();
        assert_eq!(state, CutState::Upto { last: 1, upper: key(20), next: 2 });
    });
}
