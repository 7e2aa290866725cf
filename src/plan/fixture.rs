//! Rules, tables and columns for the unit tests of this room.

use crate::policy::{ColumnName, ColumnRule, EmptyRule, Fit, Normalise, TokenKind};

/// A rule with the defaults of a policy.
pub(super) fn rule(name: &str) -> ColumnRule {
    ColumnRule {
        name: ColumnName::parse(name).expect("a column's name"),
        class: "contact".into(),
        domain: None,
        token: TokenKind::Keyed,
        format: None,
        template: None,
        empty: EmptyRule::default(),
        fit: Fit::default(),
        waive: Vec::new(),
        normalise: Normalise::default(),
        lossy_ok: false,
        dedupe: false,
    }
}
