//! Pitfall: the journal decides who waits for whom, and keeps old pages until the purge.

use super::case::{Case, handled, warns};
use super::model::Finding;

const PITFALL: &str = "journal";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let modes = case.catalog.settings.iter().filter(|(name, _)| name == "journal_mode");
    modes
        .map(|(_, mode)| match mode.to_ascii_lowercase().as_str() {
            "wal" => handled(
                PITFALL,
                "database",
                "the journal mode is `wal`: readers go on during the run",
                "the purge empties the WAL; no other connection may be open then",
            ),
            "off" | "memory" => warns(
                PITFALL,
                "database",
                format!("the journal mode is `{mode}`: a crash inside a batch damages the file"),
                "the run works with a journal on disk; so should the other users of the database",
            ),
            _ => handled(
                PITFALL,
                "database",
                format!("the journal mode is `{mode}`: readers wait while a batch commits"),
                "the purge leaves no journal behind; `PRAGMA journal_mode = WAL` spares the readers",
            ),
        })
        .collect()
}
