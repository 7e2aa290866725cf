//! A server that takes no writes, keeps text in an encoding of its own, or loses what it committed.

use super::super::case::{Case, blocks, warns};
use super::super::model::Finding;
use super::setting;

const PITFALL: &str = "server_state";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if setting(case, "is_standby") == Some("true") {
        findings.push(blocks(
            PITFALL,
            "database",
            "the server is a standby, and takes no writes",
            "name the primary with `--source`",
        ));
    }
    if case.catalog.encoding != "UTF8" {
        findings.push(blocks(
            PITFALL,
            "database",
            format!("text is stored as {}", case.catalog.encoding),
            "copy the database into one made with `ENCODING 'UTF8'` and name that",
        ));
    }
    for name in ["fsync", "full_page_writes"] {
        if setting(case, name) == Some("off") {
            findings.push(warns(
                PITFALL,
                "database",
                format!("`{name}` is off: a crash of the machine may lose what was committed"),
                format!("set `{name} = on` before a run, if the data matters"),
            ));
        }
    }
    findings
}
