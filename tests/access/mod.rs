//! Who may do what, and who sees how much of a value: `docs/ACCESS.md`, held to its word.

mod decisions;
mod document;
mod forms;
mod grants;
mod roles;

use sealift::access::Caller;

/// A caller in `role`, without an end.
fn caller(role: &str) -> Caller {
    Caller {
        name: "alice".to_owned(),
        role: role.parse().unwrap(),
        expires_at: None,
        revoked_at: None,
    }
}
