//! Copies of a source that lie elsewhere: what kinds there are, who keeps one, and until when.
//!
//! A server knows of some of them and of none of their keepers; backups and snapshots it does not know
//! at all. This file does not ask any server.

use serde::{Deserialize, Serialize};

/// A name or an owner is one line of a report.
const CHARS_MAX: usize = 200;

/// What a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyKind {
    /// A server that replays the log of changes.
    Replica,
    /// A place in the log of changes that is kept for a consumer.
    Slot,
    /// Whoever is subscribed to a publication.
    Subscriber,
    /// Files of the log of changes, kept.
    Archive,
    /// A backup of the database.
    Backup,
    /// A snapshot of a disk or a machine.
    Snapshot,
    /// A dump, an extract, a copy for a test.
    Export,
}

/// A copy with its keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRule {
    /// What it is.
    pub kind: CopyKind,
    /// What it is called; of a replica and a slot, as the server calls it.
    pub name: String,
    /// Who keeps it, and sees to it that it goes.
    pub owner: String,
    /// The day by which it holds no original any more, as `2027-01-31`.
    pub expires: String,
}

impl CopyKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Replica,
        Self::Slot,
        Self::Subscriber,
        Self::Archive,
        Self::Backup,
        Self::Snapshot,
        Self::Export,
    ];

    /// The word of the policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Slot => "slot",
            Self::Subscriber => "subscriber",
            Self::Archive => "archive",
            Self::Backup => "backup",
            Self::Snapshot => "snapshot",
            Self::Export => "export",
        }
    }

    /// The kind that the word means.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl CopyRule {
    /// How one is typed.
    pub const FORM: &'static str = "KIND:NAME:OWNER:DAY";

    /// Reads one as it is typed: `replica:crm-2:database team:2027-01-31`. A name may have colons.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (rest, expires) = rest.rsplit_once(':')?;
        let (name, owner) = rest.rsplit_once(':')?;
        Some(Self {
            kind: CopyKind::from_name(kind.trim())?,
            name: line(name)?.to_owned(),
            owner: line(owner)?.to_owned(),
            expires: day(expires)?,
        })
    }

    /// Whether this rule is about a copy that a server shows under a name. A server has one archive,
    /// whatever it is called.
    #[must_use]
    pub fn is_of(&self, kind: CopyKind, name: &str) -> bool {
        self.kind == kind && (kind == CopyKind::Archive || self.name == name)
    }
}

/// A line that stands for itself wherever it is shown.
pub(super) fn line(text: &str) -> Option<&str> {
    let text = text.trim();
    let fits = text.chars().count() <= CHARS_MAX && !text.chars().any(char::is_control);
    (fits && !text.is_empty()).then_some(text)
}

/// A day of the calendar, as it is written canonically.
pub(super) fn day(text: &str) -> Option<String> {
    let day: jiff::civil::Date = text.trim().parse().ok()?;
    Some(day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_typed_in_one_line_and_its_name_may_have_colons() {
        let rule = CopyRule::parse("backup:s3://crm/nightly:Storage team: 2027-01-31").unwrap();
        assert_eq!(
            rule,
            CopyRule {
                kind: CopyKind::Backup,
                name: "s3://crm/nightly".to_owned(),
                owner: "Storage team".to_owned(),
                expires: "2027-01-31".to_owned(),
            }
        );
    }

    #[test]
    fn what_names_no_owner_or_no_day_is_no_copy() {
        for typed in [
            "backup:nightly:2027-01-31",
            "backup:nightly::2027-01-31",
            "backup::Storage team:2027-01-31",
            "backup:nightly:Storage team:soon",
            "backup:nightly:Storage team:2027-02-30",
            "tape:nightly:Storage team:2027-01-31",
            "",
        ] {
            assert_eq!(CopyRule::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn an_archive_is_the_only_one_of_its_server() {
        let rule = CopyRule::parse("archive:s3://wal:Storage team:2027-01-31").unwrap();
        assert!(rule.is_of(CopyKind::Archive, "whatever the server calls it"));
        let rule = CopyRule::parse("slot:billing:Storage team:2027-01-31").unwrap();
        assert!(rule.is_of(CopyKind::Slot, "billing") && !rule.is_of(CopyKind::Slot, "reports"));
    }
}
