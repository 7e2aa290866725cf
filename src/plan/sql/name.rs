//! Names, found in the scopes around them.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use super::query::Walker;
use super::relation::{Meaning, Other};

impl Walker<'_, '_> {
    /// What a bare name stands for: a column of the nearest level that has it.
    pub(super) fn bare(&self, name: &Ident) -> Meaning {
        for scope in self.scopes.iter().rev() {
            let found: Vec<Meaning> = scope
                .relations
                .iter()
                .filter(|relation| !relation.is_qualified_only)
                .filter_map(|relation| Some(relation.column(&name.value)?.meaning.clone()))
                .collect();
            if !found.is_empty() {
                return Meaning::any(found);
            }
            let result = scope.results.iter().find(|r| r.name.eq_ignore_ascii_case(&name.value));
            if let Some(result) = result {
                return result.meaning.clone();
            }
        }
        // SQLite takes what is no name, in double quotes, for a text.
        match (name.quote_style, name.value.is_empty()) {
            (Some('"'), true) => Meaning::other(Other::Empty),
            (Some('"'), false) => Meaning::other(Other::Literal),
            _ => Meaning::default(),
        }
    }

    /// What `relation.column` stands for.
    pub(super) fn qualified(&self, parts: &[Ident]) -> Meaning {
        let [.., relation, column] = parts else {
            return parts.first().map_or_else(Meaning::default, |name| self.bare(name));
        };
        let found = self
            .scopes
            .iter()
            .rev()
            .flat_map(|scope| scope.relations.iter())
            .find(|known| known.name.eq_ignore_ascii_case(&relation.value));
        let Some(known) = found else { return Meaning::default() };
        let Some(output) = known.column(&column.value) else { return Meaning::default() };
        Meaning { is_row: known.is_qualified_only, ..output.meaning.clone() }
    }
}

/// The last part of a name, and the part before it.
pub(super) fn parts(name: &ObjectName) -> (String, Option<String>) {
    let mut parts = name.0.iter().rev().filter_map(ObjectNamePart::as_ident);
    let last = parts.next().map(|ident| ident.value.clone()).unwrap_or_default();
    (last, parts.next().map(|ident| ident.value.clone()))
}

/// The identifiers of a name.
pub(super) fn idents(name: &ObjectName) -> Vec<Ident> {
    name.0.iter().filter_map(ObjectNamePart::as_ident).cloned().collect()
}
