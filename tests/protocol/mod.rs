//! The protocol of `docs/PROTOCOL.md`, explored in every interleaving of a few rows.
//!
//! The first tests say that the promises hold. Each of the others takes one guard out of the protocol
//! and shows which promise breaks: a guard whose loss nothing notices would be one that nobody needs,
//! or a promise that nobody tests.

use std::collections::BTreeSet;
use std::time::Duration;

use stateright::{Checker, HasDiscoveries, Model, Path};

mod cutting;
mod model;
mod steps;

use model::{
    Action, COUNTS_RECONCILE, EVERY_TOKEN_OPENS, Guard, NO_ROW_IS_PASSED_OVER, NOTHING_IS_LOST,
    ROLLED_BACK_MEANS_NO_TOKEN, Rewrite, State, THE_WAY_BACK,
};

/// The protocol with all its guards, beside an application that writes twice.
const WHOLE: Rewrite = Rewrite {
    backup: [Some(0), None, Some(1)],
    without: None,
    writes: 2,
    starts: 2,
    rolls_back: false,
};

/// The same with a rollback at any moment, beside a smaller application.
const ROLLED_BACK: Rewrite = Rewrite { writes: 1, rolls_back: true, ..WHOLE };

/// Explores every state within the budget and asserts that it was every state.
fn explore(protocol: Rewrite) {
    let checker = protocol
        .checker()
        // The end is reached early; without this the checker goes on to the last state all the same.
        .finish_when(HasDiscoveries::AnyFailures)
        .threads(2)
        .spawn_bfs()
        .join();
    checker.assert_properties();
    assert!(checker.is_done(), "the exploration ended before the last state");
}

/// Takes `guard` out of the rewrite and returns the shortest way in which `promise` breaks.
fn broken(guard: Guard, promise: &'static str) -> Path<State, Action> {
    broken_in(Rewrite { without: Some(guard), ..WHOLE }, promise)
}

fn broken_in(protocol: Rewrite, promise: &'static str) -> Path<State, Action> {
    let checker = protocol
        .checker()
        .finish_when(HasDiscoveries::AnyOf(BTreeSet::from([promise])))
        .timeout(Duration::from_mins(1))
        .spawn_bfs()
        .join();
    let found = checker.discovery(promise);
    found.unwrap_or_else(|| panic!("nothing noticed that {:?} is gone", protocol.without))
}

#[test]
fn the_promises_hold_beside_a_writer_and_a_stale_worker() {
    explore(WHOLE);
}

#[test]
fn the_promises_hold_when_processes_die_again_and_again() {
    explore(Rewrite { backup: [Some(0), Some(0), None], writes: 1, starts: 3, ..WHOLE });
}

#[test]
fn a_rollback_at_any_moment_leaves_no_token() {
    explore(ROLLED_BACK);
}

#[test]
fn without_a_second_look_at_the_rows_a_write_is_lost() {
    broken(Guard::Reread, NOTHING_IS_LOST);
}

#[test]
fn with_the_version_noted_after_the_read_a_write_is_lost() {
    broken(Guard::VersionBeforeRead, NOTHING_IS_LOST);
}

#[test]
fn with_the_source_first_a_token_does_not_open() {
    broken(Guard::VaultFirst, EVERY_TOKEN_OPENS);
}

#[test]
fn with_increment_and_entries_recorded_apart_a_token_does_not_open() {
    let path = broken(Guard::EntriesWithIncrement, EVERY_TOKEN_OPENS);
    // It takes a death between the two: that is why nobody would see it in a test by hand.
    assert!(
        path.into_actions()
            .iter()
            .any(|action| matches!(action, Action::Kill(_) | Action::Start(_)))
    );
}

#[test]
fn without_increments_the_way_back_leads_elsewhere() {
    broken(Guard::Increment, THE_WAY_BACK);
}

#[test]
fn an_older_backup_entry_does_not_stand_for_the_newest() {
    broken(Guard::NewestOnly, THE_WAY_BACK);
}

#[test]
fn a_late_increment_of_a_stale_worker_would_become_the_newest() {
    broken(Guard::VaultEpoch, THE_WAY_BACK);
}

#[test]
fn increments_read_before_the_range_is_ours_are_not_all() {
    broken(Guard::LearnAfterFence, THE_WAY_BACK);
}

#[test]
fn a_batch_of_a_lost_range_would_be_written_without_its_increment() {
    broken(Guard::SourceEpoch, THE_WAY_BACK);
}

#[test]
fn with_the_cursor_committed_apart_counts_do_not_reconcile() {
    broken(Guard::CursorWithRows, COUNTS_RECONCILE);
}

#[test]
fn a_batch_repeated_without_looking_is_counted_twice() {
    broken(Guard::PositionOnRetry, COUNTS_RECONCILE);
}

#[test]
fn without_a_sweep_a_row_behind_the_cursor_is_passed_over() {
    broken(Guard::Sweep, NO_ROW_IS_PASSED_OVER);
}

#[test]
fn without_a_fence_a_worker_writes_tokens_behind_a_rollback() {
    let protocol = Rewrite { without: Some(Guard::RollbackFence), ..ROLLED_BACK };
    broken_in(protocol, ROLLED_BACK_MEANS_NO_TOKEN);
}

#[test]
fn a_range_taken_over_behind_the_fence_would_be_rewritten_again() {
    let protocol = Rewrite { without: Some(Guard::PhaseAtTakeover), ..ROLLED_BACK };
    broken_in(protocol, ROLLED_BACK_MEANS_NO_TOKEN);
}
