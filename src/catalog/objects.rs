//! The objects of a catalog by short digests, so that a change of it can be named long afterwards.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Catalog, ColumnChange, postgres};

/// Objects that are named one by one.
const NAMED_MAX: usize = 5;

/// Digests of what objects are, by kind and name: `table people`. They tell objects apart by chance
/// alone; what was signed is the fingerprint.
pub type Objects = BTreeMap<String, String>;

impl Catalog {
    /// The objects of a database whose columns are changed by a run, before that or after it: of what
    /// changes, both say the same.
    #[must_use]
    pub fn objects(&self, changes: &[ColumnChange], is_changed: bool) -> Objects {
        let mut facts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (object, sql) in self.facts_with(|table| {
            postgres::changed(table, changes, |one| if is_changed { &one.to } else { &one.from })
        }) {
            facts.entry(object).or_default().push(sql);
        }
        let digest = |mut said: Vec<String>| {
            // Triggers of several tables may have one name.
            said.sort();
            data_encoding::HEXLOWER.encode(&Sha256::digest(said.join("\n").as_bytes())[..8])
        };
        facts.into_iter().map(|(object, said)| (object, digest(said))).collect()
    }
}

/// Names what differs: `changed: ‹table people›; new: ‹view v›`. Empty where nothing does.
#[must_use]
pub fn differences(planned: &Objects, now: &Objects) -> String {
    let changed = planned.iter().filter(|(name, of)| now.get(*name).is_some_and(|it| it != *of));
    let gone = planned.keys().filter(|name| !now.contains_key(*name));
    let new = now.keys().filter(|name| !planned.contains_key(*name));
    let changed: Vec<&String> = changed.map(|(name, _)| name).collect();
    let (gone, new): (Vec<&String>, Vec<&String>) = (gone.collect(), new.collect());
    let told = [("changed", changed), ("gone", gone), ("new", new)].map(|(what, names)| {
        let named: Vec<String> =
            names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
        let more = match names.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        if named.is_empty() { String::new() } else { format!("{what}: {}{more}", named.join(", ")) }
    });
    told.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(of: &[(&str, &str)]) -> Objects {
        of.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect()
    }

    #[test]
    fn what_changed_went_or_came_is_named() {
        let planned = objects(&[("table a", "1"), ("table b", "1"), ("view v", "1")]);
        assert_eq!(differences(&planned, &planned), "");
        let now = objects(&[("table a", "2"), ("view v", "1"), ("index i", "1")]);
        assert_eq!(
            differences(&planned, &now),
            "changed: `table a`; gone: `table b`; new: `index i`"
        );
        let many: Vec<String> = (0..7).map(|n| format!("table t{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
        assert!(differences(&objects(&[]), &objects(&many)).ends_with("`table t4` and 2 more"));
    }
}
