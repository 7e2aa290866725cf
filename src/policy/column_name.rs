//! Names of tables and columns, as a policy writes them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table as the catalog names it: a schema where the engine has schemas, and a name.
///
/// Letter for letter as the catalog has it; no case folding.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    /// The schema, or `None` where the policy leaves it out or the engine has none (SQLite).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The table.
    pub name: String,
}

impl TableName {
    /// A table without a schema.
    #[must_use]
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.name))
    }
}

/// A column: `table.column` or `schema.table.column`; a part with a dot in it in double quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ColumnName {
    /// The table it belongs to.
    pub table: TableName,
    /// The column.
    pub column: String,
}

/// The text is not the name of a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnNameError {
    /// There are not two or three parts.
    #[error("`{0}` is not `table.column` or `schema.table.column`")]
    Parts(String),
    /// A double quote is opened and not closed, or stands inside a part.
    #[error("`{0}` has a double quote out of place")]
    Quote(String),
}

impl ColumnName {
    /// Reads a name; `"a.b".c` is column `c` of table `a.b`, and `""` inside quotes is one quote.
    ///
    /// # Errors
    ///
    /// Returns [`ColumnNameError`] where the text has not two or three parts, or an empty one without quotes.
    pub fn parse(text: &str) -> Result<Self, ColumnNameError> {
        let parts = parts(text)?;
        match parts.as_slice() {
            [table, column] => {
                Ok(Self { table: TableName::bare(table.clone()), column: column.clone() })
            }
            [schema, table, column] => Ok(Self {
                table: TableName { schema: Some(schema.clone()), name: table.clone() },
                column: column.clone(),
            }),
            _ => Err(ColumnNameError::Parts(text.to_owned())),
        }
    }
}

impl TableName {
    /// Reads `table` or `schema.table`, quoted as in [`ColumnName::parse`].
    ///
    /// # Errors
    ///
    /// Returns [`ColumnNameError`] where the text has not one or two parts, or an empty one without quotes.
    pub fn parse(text: &str) -> Result<Self, ColumnNameError> {
        let parts = parts(text)?;
        match parts.as_slice() {
            [table] => Ok(Self::bare(table.clone())),
            [schema, table] => Ok(Self { schema: Some(schema.clone()), name: table.clone() }),
            _ => Err(ColumnNameError::Parts(text.to_owned())),
        }
    }
}

fn parts(text: &str) -> Result<Vec<String>, ColumnNameError> {
    let quote = || ColumnNameError::Quote(text.to_owned());
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let part;
        let is_quoted = rest.starts_with('"');
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut from = quoted;
            loop {
                let end = from.find('"').ok_or_else(quote)?;
                name.push_str(&from[..end]);
                from = &from[end + 1..];
                let Some(after) = from.strip_prefix('"') else { break };
                name.push('"');
                from = after;
            }
            part = name;
            rest = from;
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            if rest[..end].contains('"') {
                return Err(quote());
            }
            part = rest[..end].to_owned();
            rest = &rest[end..];
        }
        // SQLite has names without a letter; in quotes nobody wrote one by accident.
        if part.is_empty() && !is_quoted {
            return Err(ColumnNameError::Parts(text.to_owned()));
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(parts),
            None => return Err(quote()),
        }
    }
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, quoted(&self.column))
    }
}

fn quoted(part: &str) -> String {
    if part.is_empty() || part.contains(['.', '"']) {
        format!("\"{}\"", part.replace('"', "\"\""))
    } else {
        part.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were_written() {
        for text in
            ["customers.email", "crm.customers.email", r#""a.b".c"#, r#"t."x""y""#, r#"t."""#]
        {
            assert_eq!(ColumnName::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_name_without_a_table_is_refused() {
        for text in ["email", "", "a.", ".b", "a.b.c.d", "\"a.b", "a\"b.c", "\"a\"b.c"] {
            assert!(ColumnName::parse(text).is_err(), "{text}");
        }
    }
}
