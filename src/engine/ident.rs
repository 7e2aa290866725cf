//! Quoted identifiers: the only place where SQL is assembled from parts.
//!
//! A name comes from a catalog, so it may hold anything that the engine allows in quotes. Values
//! never come this way: they are bound.
//!
//! **Invariant:** text that leaves [`Ident::quoted`] is exactly one identifier to SQLite and to
//! PostgreSQL, whatever the name was.

use std::fmt;

use crate::policy::TableName;

/// A name that can be written into a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ident(String);

/// The name cannot be written into a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentError {
    /// No engine can be asked for it: the statement would end at the NUL.
    #[error("the name `{}` has a NUL character in it", .0.escape_default())]
    Nul(String),
}

impl Ident {
    /// Takes a name as the catalog has it. SQLite has empty ones too.
    ///
    /// # Errors
    ///
    /// Returns [`IdentError`] for a name with a NUL character.
    pub fn new(name: impl Into<String>) -> Result<Self, IdentError> {
        let name = name.into();
        if name.contains('\0') { Err(IdentError::Nul(name)) } else { Ok(Self(name)) }
    }

    /// The name as the catalog has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name in double quotes, with those inside it doubled.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// As [`Ident::quoted`].
impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.quoted())
    }
}

/// Quotes one name.
///
/// # Errors
///
/// Returns [`IdentError`] where [`Ident::new`] does.
pub fn quote(name: &str) -> Result<String, IdentError> {
    Ident::new(name).map(|ident| ident.quoted())
}

/// Quotes a table: its schema, where it has one, a dot, its name.
///
/// # Errors
///
/// Returns [`IdentError`] where [`Ident::new`] does.
pub fn quote_table(table: &TableName) -> Result<String, IdentError> {
    let name = quote(&table.name)?;
    match &table.schema {
        Some(schema) => Ok(format!("{}.{name}", quote(schema)?)),
        None => Ok(name),
    }
}

/// Quotes names and joins them with commas.
///
/// # Errors
///
/// Returns [`IdentError`] where [`Ident::new`] does.
pub fn quote_list<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<String, IdentError> {
    let quoted: Vec<String> = names.into_iter().map(quote).collect::<Result<_, _>>()?;
    Ok(quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_cannot_end_the_identifier() {
        assert_eq!(quote(r#"a"; drop table t; --"#).unwrap(), r#""a""; drop table t; --""#);
    }

    #[test]
    fn a_name_with_nul_is_refused() {
        assert_eq!(quote("a\0b"), Err(IdentError::Nul("a\0b".to_owned())));
        assert_eq!(quote("").unwrap(), r#""""#);
    }

    #[test]
    fn a_table_keeps_its_schema_apart() {
        let table = TableName { schema: Some("a.b".into()), name: "c".into() };
        assert_eq!(quote_table(&table).unwrap(), r#""a.b"."c""#);
    }
}
