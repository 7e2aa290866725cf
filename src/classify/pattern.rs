//! A policy's own patterns, and the detectors made of them and of what is built in.

use regex::Regex;

/// A kind of value that a policy describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// What findings call it.
    pub name: String,
    /// The data class of what it finds.
    pub class: String,
    /// What a whole value looks like, or a part of it; anchor it with `^` and `$` for the whole.
    pub regex: String,
    /// Looks only at columns whose name matches this.
    pub column: Option<String>,
}

/// Why a pattern cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// An expression does not compile, or would take too much memory.
    #[error("pattern `{name}` has an invalid `{field}`")]
    Invalid {
        /// The pattern.
        name: String,
        /// `regex` or `column`.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<regex::Error>,
    },

    /// An expression matches the empty text, and would match everything.
    #[error("pattern `{name}` matches the empty text")]
    MatchesNothing {
        /// The pattern.
        name: String,
    },

    /// Two patterns have one name.
    #[error("pattern `{name}` is defined twice")]
    Twice {
        /// The name.
        name: String,
    },
}

/// All detectors: what is built in, and a policy's own patterns. Made once, used by many profiles.
#[derive(Debug, Default)]
pub struct Detectors {
    patterns: Vec<Compiled>,
}

/// A pattern ready for use.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) value: Regex,
    column: Option<Regex>,
}

impl Detectors {
    /// Compiles a policy's patterns; without any, the detectors are those that are built in.
    pub fn new(patterns: &[Pattern]) -> Result<Self, PatternError> {
        let mut compiled: Vec<Compiled> = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            if compiled.iter().any(|other| other.name == pattern.name) {
                return Err(PatternError::Twice { name: pattern.name.clone() });
            }
            compiled.push(Compiled::new(pattern)?);
        }
        Ok(Self { patterns: compiled })
    }

    /// The patterns that look at a column, by their place.
    pub(super) fn for_column(&self, column: &str) -> Vec<&Compiled> {
        self.patterns.iter().filter(|pattern| pattern.looks_at(column)).collect()
    }
}

impl Compiled {
    fn new(pattern: &Pattern) -> Result<Self, PatternError> {
        let invalid = |field, source| PatternError::Invalid {
            name: pattern.name.clone(),
            field,
            source: Box::new(source),
        };
        let value = Regex::new(&pattern.regex).map_err(|error| invalid("regex", error))?;
        if value.is_match("") {
            return Err(PatternError::MatchesNothing { name: pattern.name.clone() });
        }
        let column = pattern.column.as_deref().map(Regex::new).transpose();
        Ok(Self {
            name: pattern.name.clone(),
            class: pattern.class.clone(),
            value,
            column: column.map_err(|error| invalid("column", error))?,
        })
    }

    fn looks_at(&self, column: &str) -> bool {
        self.column.as_ref().is_none_or(|regex| regex.is_match(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(regex: &str) -> Pattern {
        Pattern {
            name: "badge".into(),
            class: "identity".into(),
            regex: regex.into(),
            column: None,
        }
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = Detectors::new(&[pattern("(")]).unwrap_err();
        assert_eq!(error.to_string(), "pattern `badge` has an invalid `regex`");
    }

    #[test]
    fn a_pattern_that_matches_everything_is_refused() {
        assert!(matches!(
            Detectors::new(&[pattern("x*")]),
            Err(PatternError::MatchesNothing { .. })
        ));
    }

    #[test]
    fn a_name_is_given_once() {
        let both = [pattern("a"), pattern("b")];
        assert!(matches!(Detectors::new(&both), Err(PatternError::Twice { .. })));
    }
}
