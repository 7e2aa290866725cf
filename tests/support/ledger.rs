//! The ledger, as an auditor gets it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::desk::Desk;

/// Exports the ledger into a new folder, and says which.
pub(crate) fn exported(desk: &Desk) -> PathBuf {
    let mut folder = "ledger".to_owned();
    while desk.path(&folder).exists() {
        folder.push_str("-again");
    }
    desk.run(&["ledger", "export", "--output", &folder]).done();
    desk.path(&folder)
}

/// Every entry's action, in order.
pub(crate) fn actions(desk: &Desk) -> Vec<String> {
    let entries = fs::read_to_string(exported(desk).join("entries.jsonl")).unwrap();
    let action = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry["action"].as_str().unwrap().to_owned()
    };
    entries.lines().map(action).collect()
}
