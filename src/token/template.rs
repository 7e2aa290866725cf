//! Text around a token, for columns whose values must keep a shape.
//!
//! It does not know what stands in the middle.

use std::fmt;

/// Where the token goes.
const PLACE: &str = "{token}";

/// Text with `{token}` once in it, as in `{token}@tokens.invalid`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    before: String,
    after: String,
}

/// The text is not a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a template has `{{token}}` exactly once in it")]
pub struct TemplateError;

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// Returns [`TemplateError`] unless `{token}` is in it exactly once.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (before, after) = text.split_once(PLACE).ok_or(TemplateError)?;
        if after.contains(PLACE) {
            return Err(TemplateError);
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// Puts the text around a token.
    #[must_use]
    pub fn apply(&self, token: &str) -> String {
        format!("{}{token}{}", self.before, self.after)
    }

    /// Takes the text off again; `None` where it is not there.
    #[must_use]
    pub fn strip<'t>(&self, cell: &'t str) -> Option<&'t str> {
        cell.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())
    }

    /// What stands before the token.
    #[must_use]
    pub fn before(&self) -> &str {
        &self.before
    }

    /// What stands after it.
    #[must_use]
    pub fn after(&self) -> &str {
        &self.after
    }

    /// How many characters it adds.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.before.chars().count() + self.after.chars().count()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.apply(PLACE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_around_a_token_comes_off_again() {
        let template = Template::parse("x{token}@tokens.invalid").unwrap();
        assert_eq!(template.apply("T"), "xT@tokens.invalid");
        assert_eq!(template.strip("xT@tokens.invalid"), Some("T"));
        assert_eq!(template.to_string(), "x{token}@tokens.invalid");
        assert_eq!(template.chars(), 16);
    }

    #[test]
    fn text_before_and_after_may_not_overlap_in_a_cell() {
        assert_eq!(Template::parse("aa{token}aa").unwrap().strip("aaa"), None);
    }

    #[test]
    fn a_template_has_one_place_for_the_token() {
        for text in ["", "token", "{token}{token}", "{Token}"] {
            assert_eq!(Template::parse(text), Err(TemplateError), "{text}");
        }
    }
}
