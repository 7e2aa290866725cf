//! How one column is treated: everything that turns a value into what stands in its cell.
//!
//! It knows neither the column's table nor its engine.

use super::{
    DomainId, FormatCipher, KeyedMac, Misfit, TOKEN_CHARS, Template, TextKind, Token, TokenBody,
    UUID_CHARS, UuidToken, blind_index, format, keyed_bits, normalise, sqlite_glob,
};
use crate::{
    policy::{ColumnRule, EmptyRule, FormatShape, Normalise, TokenKind},
    value::Original,
};

/// Everything about one column that tokens depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Treatment {
    domain: DomainId,
    kind: Kind,
    template: Option<Template>,
    normalise: Normalise,
    empty: EmptyRule,
    lossy_ok: bool,
}

/// The kind of token with what only this kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Keyed,
    Random { dedupe: bool },
    Format(FormatShape),
    Uuid,
}

/// A rule contradicts itself. A parsed policy holds none that does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreatmentError {
    /// `token = "format"` without a shape, or a shape without it.
    #[error("column `{0}` has a format without `token = \"format\"`, or the other way round")]
    Format(String),
    /// The template is none, or stands with a kind that takes none.
    #[error("column `{0}` has a template that its kind of token does not take")]
    Template(String),
}

impl Treatment {
    /// Reads a column's rule; `domain` is what the vault calls the column's domain.
    ///
    /// # Errors
    ///
    /// Returns [`TreatmentError`] for a rule that [`Policy::parse`](crate::policy::Policy::parse)
    /// would have refused.
    pub fn from_rule(rule: &ColumnRule, domain: DomainId) -> Result<Self, TreatmentError> {
        let misshapen = || TreatmentError::Format(rule.name.to_string());
        let kind = match (rule.token, rule.format) {
            (TokenKind::Keyed, None) => Kind::Keyed,
            (TokenKind::Random, None) => Kind::Random { dedupe: rule.dedupe },
            (TokenKind::Uuid, None) => Kind::Uuid,
            (TokenKind::Format, Some(shape)) => Kind::Format(shape),
            (TokenKind::Format, None)
            | (TokenKind::Keyed | TokenKind::Random | TokenKind::Uuid, Some(_)) => {
                return Err(misshapen());
            }
        };
        let template = rule.template.as_deref().map(Template::parse).transpose();
        let template = template.map_err(|_| TreatmentError::Template(rule.name.to_string()))?;
        if template.is_some() && matches!(kind, Kind::Format(_) | Kind::Uuid) {
            return Err(TreatmentError::Template(rule.name.to_string()));
        }
        Ok(Self {
            domain,
            kind,
            template,
            normalise: rule.normalise,
            empty: rule.empty,
            lossy_ok: rule.lossy_ok,
        })
    }

    /// The column's domain.
    #[must_use]
    pub fn domain(&self) -> DomainId {
        self.domain
    }

    /// The kind of its tokens.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        match self.kind {
            Kind::Keyed => TokenKind::Keyed,
            Kind::Random { .. } => TokenKind::Random,
            Kind::Format(_) => TokenKind::Format,
            Kind::Uuid => TokenKind::Uuid,
        }
    }

    /// The text around its tokens.
    #[must_use]
    pub fn template(&self) -> Option<&Template> {
        self.template.as_ref()
    }

    /// The shape of its tokens, where they are `format`.
    #[must_use]
    pub fn shape(&self) -> Option<FormatShape> {
        match self.kind {
            Kind::Format(shape) => Some(shape),
            Kind::Keyed | Kind::Random { .. } | Kind::Uuid => None,
        }
    }

    /// What makes two of its values equal.
    #[must_use]
    pub fn normalise(&self) -> Normalise {
        self.normalise
    }

    /// Whether values with one normal form may come back as one of them.
    #[must_use]
    pub fn is_lossy_ok(&self) -> bool {
        self.lossy_ok
    }

    /// What happens to the empty text.
    #[must_use]
    pub fn empty(&self) -> EmptyRule {
        self.empty
    }

    /// Whether the cell stays as it is: the empty text, where the policy keeps it.
    #[must_use]
    pub fn keeps(&self, original: &Original) -> bool {
        self.empty == EmptyRule::Keep && original.as_text() == Some("")
    }

    /// Whether `random` tokens are shared by equal values.
    #[must_use]
    pub fn is_deduplicated(&self) -> bool {
        self.kind == Kind::Random { dedupe: true }
    }

    /// Whether the token follows from the value and a key.
    #[must_use]
    pub fn is_deterministic(&self) -> bool {
        match self.kind {
            Kind::Keyed | Kind::Format(_) | Kind::Uuid => true,
            Kind::Random { .. } => false,
        }
    }

    /// Derives the body of a value's token.
    ///
    /// # Errors
    ///
    /// Returns [`Misfit::NotDerived`] for `random`, [`Misfit::NoFormatKey`] for `format` without a
    /// key, and for `format` any of the others where the value has not the shape.
    pub fn derive(
        &self,
        mac: &(impl KeyedMac + ?Sized),
        format_key: Option<&[u8; 32]>,
        original: &Original,
    ) -> Result<TokenBody, Misfit> {
        let keyed = || keyed_bits(mac, self.domain, self.normalise, original);
        match self.kind {
            Kind::Keyed => Ok(keyed().into()),
            Kind::Uuid => Ok(UuidToken::from_keyed_bits(keyed()).body()),
            Kind::Random { .. } => Err(Misfit::NotDerived),
            Kind::Format(shape) => {
                let key = format_key.ok_or(Misfit::NoFormatKey)?;
                original.as_text().ok_or(Misfit::NotText)?;
                let value = normalise(self.normalise, original);
                let value = std::str::from_utf8(&value).map_err(|_| Misfit::NotText)?;
                let token = FormatCipher::new(key, shape, self.domain).tokenize(value)?;
                Ok(TokenBody::new(token.as_bytes()))
            }
        }
    }

    /// The key under which the vault's blind index finds this value again.
    #[must_use]
    pub fn blind_index(&self, mac: &(impl KeyedMac + ?Sized), original: &Original) -> [u8; 16] {
        blind_index(mac, self.domain, self.normalise, original)
    }

    /// Computes the value of a `format` token, in its normal form.
    ///
    /// # Errors
    ///
    /// Returns a [`Misfit`] where the kind is another one or the body not of the shape.
    pub fn recover(&self, format_key: &[u8; 32], body: &TokenBody) -> Result<Original, Misfit> {
        let Kind::Format(shape) = self.kind else { return Err(Misfit::Body) };
        let token = std::str::from_utf8(body.as_bytes()).map_err(|_| Misfit::Body)?;
        let value = FormatCipher::new(format_key, shape, self.domain).recover(token)?;
        Ok(Original::text(&value))
    }

    /// The token as text, without the template.
    ///
    /// # Errors
    ///
    /// Returns [`Misfit::Body`] for a body that is not of this column's kind, as only an altered
    /// vault or file holds one.
    pub fn token_text(&self, body: &TokenBody) -> Result<String, Misfit> {
        let written = |kind| {
            let bytes = body.sixteen()?;
            Some(Token::new(kind, self.domain, bytes).text())
        };
        match self.kind {
            Kind::Keyed => written(TextKind::Keyed),
            Kind::Random { .. } => written(TextKind::Random),
            Kind::Uuid => UuidToken::from_body(body).map(|uuid| uuid.to_string()),
            Kind::Format(shape) => std::str::from_utf8(body.as_bytes())
                .ok()
                .filter(|text| format::fits_as_token(shape, text))
                .map(str::to_owned),
        }
        .ok_or(Misfit::Body)
    }

    /// What is written to the source: the token within the column's template.
    ///
    /// # Errors
    ///
    /// As [`token_text`](Self::token_text): a cell never gets what could not be read back.
    pub fn cell(&self, body: &TokenBody) -> Result<Original, Misfit> {
        let token = self.token_text(body)?;
        Ok(match &self.template {
            Some(template) => Original::text(&template.apply(&token)),
            None => Original::text(&token),
        })
    }

    /// Reads a cell: a token of this column, by its shape alone?
    ///
    /// `None` for every original, and for all cells where
    /// [`is_recognisable_by_shape`](Self::is_recognisable_by_shape) is false. A shape that parses
    /// may still be an original: only the vault can say whether it opens.
    #[must_use]
    pub fn recognise(&self, cell: &Original) -> Option<TokenBody> {
        if !self.is_recognisable_by_shape() {
            return None;
        }
        let text = cell.as_text()?;
        match &self.template {
            Some(template) => self.read(template.strip(text)?),
            None => self.read(text),
        }
    }

    /// Whether a predicate separates this kind of token from other values.
    ///
    /// For `card` and `uuid` it does so only where no original passes it, which the plan counts.
    #[must_use]
    pub fn is_recognisable_by_shape(&self) -> bool {
        match self.kind {
            Kind::Keyed | Kind::Random { .. } | Kind::Uuid | Kind::Format(FormatShape::Card) => {
                true
            }
            Kind::Format(FormatShape::Digits | FormatShape::Alnum) => false,
        }
    }

    /// Reads what a caller asks to open: a token of this column, with its template or without.
    ///
    /// For `digits` and `alnum` any text of the shape is taken; the vault refuses the others.
    #[must_use]
    pub fn accept(&self, text: &str) -> Option<TokenBody> {
        let stripped = self.template.as_ref().and_then(|template| template.strip(text));
        stripped.and_then(|token| self.read(token)).or_else(|| self.read(text))
    }

    /// How many characters a cell takes; `None` where that is as many as its value took.
    #[must_use]
    pub fn token_chars_max(&self) -> Option<usize> {
        let token = match self.kind {
            Kind::Keyed | Kind::Random { .. } => TOKEN_CHARS,
            Kind::Uuid => UUID_CHARS,
            Kind::Format(_) => return None,
        };
        Some(token + self.template.as_ref().map_or(0, Template::chars))
    }

    /// A pattern for SQLite's `GLOB` that every cell with a token of this column matches, where
    /// the kind has one. It filters; [`recognise`](Self::recognise) decides.
    #[must_use]
    pub fn sqlite_glob(&self) -> Option<String> {
        let token = match self.kind {
            Kind::Keyed => sqlite_glob(TextKind::Keyed, self.domain),
            Kind::Random { .. } => sqlite_glob(TextKind::Random, self.domain),
            Kind::Uuid => uuid_glob(),
            Kind::Format(_) => return None,
        };
        Some(match &self.template {
            Some(template) => {
                format!("{}{token}{}", literal(template.before()), literal(template.after()))
            }
            None => token,
        })
    }

    /// Reads a token without its template.
    fn read(&self, text: &str) -> Option<TokenBody> {
        match self.kind {
            Kind::Keyed => self.read_text(TextKind::Keyed, text),
            Kind::Random { .. } => self.read_text(TextKind::Random, text),
            Kind::Uuid => UuidToken::parse(text).map(|uuid| uuid.body()),
            Kind::Format(shape) => {
                format::fits_as_token(shape, text).then(|| TokenBody::new(text.as_bytes()))
            }
        }
    }

    fn read_text(&self, kind: TextKind, text: &str) -> Option<TokenBody> {
        let token = Token::parse(text).ok()?;
        (token.kind == kind && token.domain == self.domain).then(|| token.body())
    }
}

fn uuid_glob() -> String {
    let hex = |count| "[0-9a-f]".repeat(count);
    format!("{}-{}-8{}-[89ab]{}-{}", hex(8), hex(4), hex(3), hex(3), hex(12))
}

/// Text that `GLOB` takes for itself.
fn literal(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '*' | '?' | '[' => format!("[{character}]"),
            _ => character.to_string(),
        })
        .collect()
}
