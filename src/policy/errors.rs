//! What is wrong with a policy file, and where.
//!
//! It does not know the file beyond its name.

use std::fmt;

/// All that is wrong with a policy file, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct PolicyErrors(pub(super) Vec<PolicyError>);

impl PolicyErrors {
    /// The errors, first the one that comes first in the file.
    #[must_use]
    pub fn errors(&self) -> &[PolicyError] {
        &self.0
    }
}

fn lines(errors: &[PolicyError]) -> String {
    errors.iter().map(PolicyError::to_string).collect::<Vec<_>>().join("\n")
}

/// One thing that is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct PolicyError {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The key it is about, as `column.token`; empty where the file is no TOML.
    pub key: String,
    /// What is wrong.
    pub problem: PolicyProblem,
}

/// What is wrong with one key of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// The file is no TOML.
    #[error("{0}")]
    Syntax(String),
    /// A policy has no such key.
    #[error("`{key}` is no key of a policy, expected {}{}", Words(expected), Nearest(nearest))]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The keys that may stand there.
        expected: Vec<String>,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// A key that has no default is not there.
    #[error("`{key}` is missing, expected {expected}")]
    Missing {
        /// The key.
        key: String,
        /// What it takes.
        expected: String,
    },
    /// A value of another type than the key takes.
    #[error("`{key}` is {found}, expected {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// The type that was found.
        found: &'static str,
        /// What it takes.
        expected: String,
    },
    /// A word that is none of those the key takes.
    #[error("`{key}` is `{found}`, expected {}{}", Words(expected), Nearest(nearest))]
    UnknownWord {
        /// The key.
        key: String,
        /// The word as written.
        found: String,
        /// The words it takes.
        expected: Vec<String>,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// A value of the right type that the key does not take.
    #[error("`{key}` is `{found}`, expected {expected}")]
    Invalid {
        /// The key.
        key: String,
        /// The value as written.
        found: String,
        /// What it takes.
        expected: String,
    },
    /// Something that may be there once is there twice.
    #[error("`{key}` names `{name}` a second time, after line {first_line}")]
    Duplicate {
        /// The key.
        key: String,
        /// The name.
        name: String,
        /// Where it was first.
        first_line: usize,
    },
    /// Two keys contradict each other.
    #[error("`{key}` {rule}")]
    Conflict {
        /// The key that has to change.
        key: String,
        /// What holds, as the rest of a sentence.
        rule: String,
    },
}

/// Words in backticks: `a`, `b` or `c`.
struct Words<'w>(&'w [String]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            let before = match at {
                0 => "",
                _ if at + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{before}`{word}`")?;
        }
        Ok(())
    }
}

/// `; did you mean …?`, where something is near.
struct Nearest<'w>(&'w Option<String>);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |word| write!(f, "; did you mean `{word}`?"))
    }
}

/// Finds the word that was probably meant: the nearest within a third of its length.
pub(super) fn nearest<'w>(found: &str, words: impl IntoIterator<Item = &'w str>) -> Option<String> {
    let found = found.to_lowercase();
    words
        .into_iter()
        .map(|word| (distance(&found, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word.to_owned())
}

/// How many characters to insert, remove, replace or swap with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
                let swapped =
                    if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                        rows[i - 2][j - 2] + 1
                    } else {
                        usize::MAX
                    };
                replaced.min(swapped).min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1)
            };
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_corrected_and_another_word_is_not() {
        let words = ["keyed", "random", "format", "uuid"];
        assert_eq!(nearest("kyed", words).as_deref(), Some("keyed"));
        assert_eq!(nearest("radnom", words).as_deref(), Some("random"));
        assert_eq!(nearest("UUID", words).as_deref(), Some("uuid"));
        assert_eq!(nearest("hashed", words), None);
        assert_eq!(nearest("", words), None);
    }
}
