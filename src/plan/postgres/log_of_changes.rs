//! Whoever reads the server's log of changes: what is rewritten travels there, and what they keep of
//! it holds originals.

use super::super::case::{Case, counted, warns};
use super::super::model::Finding;
use super::{setting, sheets};

const PITFALL: &str = "log_of_changes";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    if sheets(case).is_empty() {
        return Vec::new();
    }
    let mut readers = Vec::new();
    let standbys = setting(case, "standbys").and_then(|count| count.parse::<u64>().ok());
    if let Some(standbys) = standbys.filter(|standbys| *standbys > 0) {
        readers.push(format!("{} connected", counted(standbys, "replica")));
    }
    if let Some(slots) = setting(case, "slots").filter(|slots| !slots.is_empty()) {
        readers.push(format!("it is kept for replication slots: {slots}"));
    }
    if setting(case, "archive_mode").is_some_and(|mode| mode != "off") {
        readers.push("it is archived".to_owned());
    }
    if readers.is_empty() {
        return Vec::new();
    }
    vec![warns(
        PITFALL,
        "database",
        format!("the server's log of changes is read by others: {}", readers.join("; ")),
        "each row that is rewritten travels there, and what they keep from before the run holds \
         originals; a run holds where they fall behind the policy's `replica_lag_ms_max` or \
         `wal_bytes_max`",
    )]
}
