//! What can happen: everything may come at any time, and the model says what has to come of it.

use proptest::prelude::*;

/// One thing that somebody does, or that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Plan,
    Approve,
    /// Until a phase: 0 `backed_up`, 1 `sealed`, 2 `rewritten`, 3 `verified`.
    Run(usize),
    Verify,
    Pause,
    Resume,
    Rollback,
    /// `run` dies at a place.
    RunDies(usize),
    /// `rollback` dies at a place.
    RollbackDies(usize),
    /// Somebody makes an index, or drops it again.
    Ddl,
    Insert(Option<u8>, u8),
    /// A row, a column, a value.
    Update(u8, bool, Option<u8>),
    Delete(u8),
    /// A copy of the vault is put aside.
    SaveVault,
    /// That copy is put in place of the vault, and somebody goes on with it.
    OldVault,
}

/// Where `run` dies.
pub(super) const IN_RUN: [&str; 16] = [
    "backup.before_file_ends",
    "backup.after_file",
    "backup.before_phase",
    "seal.after_token_file",
    "seal.after_record",
    "seal.after_vault_commit",
    "seal.after_phase",
    "rewrite.after_bind",
    "rewrite.after_cursor_taken",
    "rewrite.after_vault_commit",
    "source.before_commit",
    "rewrite.after_commit",
    "sweep.after_commit",
    "rewrite.before_phase",
    "verify.before_phase",
    "verify.after_phase",
];

/// Where `rollback` dies.
pub(super) const IN_ROLLBACK: [&str; 6] = [
    "rollback.after_begin",
    "rollback.before_cursor",
    "rollback.after_commit",
    "rollback.before_traces",
    "rollback.after_traces",
    "rollback.after_phase",
];

/// Any act; those that bring a run on are more frequent.
pub(super) fn act() -> impl Strategy<Value = Act> {
    // Few values: so they meet again, go there and back, and several rows share one.
    let value = 0_u8..7;
    let maybe = prop_oneof![6 => (0_u8..7).prop_map(Some), 1 => Just(None)];
    prop_oneof![
        4 => Just(Act::Plan),
        4 => Just(Act::Approve),
        6 => (0_usize..4).prop_map(Act::Run),
        1 => Just(Act::Verify),
        1 => Just(Act::Pause),
        2 => Just(Act::Resume),
        2 => Just(Act::Rollback),
        4 => (0..IN_RUN.len()).prop_map(Act::RunDies),
        2 => (0..IN_ROLLBACK.len()).prop_map(Act::RollbackDies),
        2 => Just(Act::Ddl),
        2 => (maybe.clone(), value).prop_map(|(email, name)| Act::Insert(email, name)),
        5 => (any::<u8>(), any::<bool>(), maybe).prop_map(|(row, of, value)| Act::Update(row, of, value)),
        1 => any::<u8>().prop_map(Act::Delete),
        1 => Just(Act::SaveVault),
        2 => Just(Act::OldVault),
    ]
}

/// Every act at least once, in an order that leads somewhere.
pub(super) fn everything() -> Vec<Act> {
    use Act::{
        Approve, Ddl, Delete, Insert, OldVault, Pause, Plan, Resume, Rollback, RollbackDies, Run,
        RunDies, SaveVault, Update, Verify,
    };
    vec![
        Run(3),
        Rollback,
        Plan,
        Verify,
        Run(0),
        Ddl,
        Approve,
        Run(0),
        Ddl,
        Plan,
        Approve,
        SaveVault,
        RunDies(1),
        Run(1),
        Plan,
        Update(1, true, Some(2)),
        Update(2, false, None),
        Insert(Some(3), 4),
        Pause,
        Run(3),
        Resume,
        RunDies(11),
        OldVault,
        Update(1, true, Some(2)),
        Ddl,
        Run(2),
        Ddl,
        Resume,
        RunDies(12),
        Run(3),
        Verify,
        Update(4, true, Some(1)),
        Delete(3),
        Verify,
        Run(3),
        RollbackDies(2),
        Run(3),
        Insert(None, 1),
        Rollback,
        Rollback,
        Plan,
        Approve,
        Run(3),
    ]
}
