//! JSON documents, taken apart into places such as `$.contact.email` and `$.phones[]`.
//!
//! **Invariant:** a path is made of keys that read as names. A key that could be a value, such as
//! an e-mail address or somebody's name, is written `*` and looked at as a value itself.

use serde_json::Value;

use super::finding::Finding;
use super::free_text::cut;
use super::hash::FastMap;
use super::heading::{fold, reads_as_a_name};
use super::pattern::Detectors;
use super::profile::Profile;
use super::{Subject, words};

/// So many places of one column are looked at.
const PLACES_MAX: usize = 256;

/// So deep.
const DEPTH_MAX: usize = 12;

/// So many elements of one array, and keys of one object.
const MEMBERS_MAX: usize = 256;

/// More keys than this in one object are a map of something to something.
const KEYS_MAX: usize = 64;

/// Profiles of all places in the documents of a column.
pub(super) struct Document<'d> {
    detectors: &'d Detectors,
    table: String,
    places: FastMap<String, Profile<'d>>,
    order: Vec<String>,
}

impl<'d> Document<'d> {
    /// No place yet.
    pub(super) fn new(detectors: &'d Detectors, table: &str) -> Self {
        Self { detectors, table: table.to_owned(), places: FastMap::default(), order: Vec::new() }
    }

    /// Looks at every place of one document.
    pub(super) fn add(&mut self, value: &Value) {
        let table = self.table.clone();
        let root = Spot { path: "$".to_owned(), key: "", parent: &table, depth: 0 };
        self.walk(value, &root, &[]);
    }

    /// The findings of all places, in the order in which they were met.
    pub(super) fn findings(mut self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for path in std::mem::take(&mut self.order) {
            let Some(profile) = self.places.remove(&path) else { continue };
            findings.extend(profile.findings().into_iter().map(|mut finding| {
                finding.path = Some(path.clone());
                finding
            }));
        }
        findings
    }

    fn walk(&mut self, value: &Value, spot: &Spot<'_>, siblings: &[&str]) {
        if spot.depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(members) => {
                let keys: Vec<&str> =
                    members.keys().map(String::as_str).take(MEMBERS_MAX).collect();
                let is_map = keys.len() > KEYS_MAX;
                for (key, member) in members.iter().take(MEMBERS_MAX) {
                    if is_map || !is_plain(key) {
                        let starred = spot.below(&format!("{}.*", spot.path), spot.key);
                        // A key is no column: only what is certain by itself counts.
                        let keys = spot.below("", "key");
                        if let Some(profile) =
                            self.place(&format!("{}.{{key}}", spot.path), &keys, &[])
                        {
                            profile.add_inner(key);
                        }
                        self.walk(member, &starred, &[]);
                    } else {
                        let inner = spot.below(&format!("{}.{key}", spot.path), key);
                        self.walk(member, &inner, &keys);
                    }
                }
            }
            Value::Array(elements) => {
                let inner = Spot {
                    path: format!("{}[]", spot.path),
                    key: spot.key,
                    parent: spot.parent,
                    depth: spot.depth + 1,
                };
                for element in elements.iter().take(MEMBERS_MAX) {
                    self.walk(element, &inner, siblings);
                }
            }
            Value::Bool(_) => {}
            leaf => self.add_leaf(leaf, spot, siblings),
        }
    }

    fn add_leaf(&mut self, leaf: &Value, spot: &Spot<'_>, siblings: &[&str]) {
        let Some(profile) = self.place(&spot.path, spot, siblings) else { return };
        match leaf {
            Value::String(text) => profile.add_inner(text),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => profile.add_inner_integer(number),
                (None, Some(number)) => profile.add_inner_real(number),
                (None, None) => {}
            },
            _ => profile.add_null(),
        }
    }

    fn place(
        &mut self,
        path: &str,
        spot: &Spot<'_>,
        siblings: &[&str],
    ) -> Option<&mut Profile<'d>> {
        if !self.places.contains_key(path) {
            if self.places.len() >= PLACES_MAX {
                return None;
            }
            let subject = Subject { table: spot.parent, column: spot.key, declared: "", siblings };
            self.places.insert(path.to_owned(), Profile::within(self.detectors, &subject));
            self.order.push(path.to_owned());
        }
        self.places.get_mut(path)
    }
}

/// Where in a document one stands.
struct Spot<'k> {
    path: String,
    /// The key that names the values here.
    key: &'k str,
    /// The key above it, or the table: whose they are.
    parent: &'k str,
    depth: usize,
}

impl<'k> Spot<'k> {
    fn below(&self, path: &str, key: &'k str) -> Self {
        let parent = if self.key.is_empty() { self.parent } else { self.key };
        Self { path: path.to_owned(), key, parent, depth: self.depth + 1 }
    }
}

/// Whether a key is a name that the program's makers gave, and not a value.
fn is_plain(key: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    if key.is_empty() || cut(key, 40).len() < key.len() || !key.chars().all(is_word) || digits > 3 {
        return false;
    }
    if reads_as_a_name(key) {
        return true;
    }
    // Not one of our words: then nobody's name either, whole or in parts.
    key.split(['_', '-']).all(|part| {
        let folded = fold(part);
        !words::is_given(&folded) && !words::is_family(&folded)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_be_values_are_not_plain() {
        for key in ["email", "contact", "billingAddress", "line1", "x-trace", "payload_v2"] {
            assert!(is_plain(key), "{key}");
        }
        for key in
            ["alice@example.com", "alice", "Alice Johnson", "4111111111111111", "", "alice_johnson"]
        {
            assert!(!is_plain(key), "{key}");
        }
    }
}
