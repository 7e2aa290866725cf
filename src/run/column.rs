//! One in-scope column at work: what becomes of a cell, and which token stands for a value.

use crate::crypto::{KeyId, KeyRing};
use crate::policy::Normalise;
use crate::token::{DomainId, Misfit, TokenBody, Treatment};
use crate::value::{Original, ValueType};

/// The label of the keyed digest by which a value of a `random` column is recognised.
const DIGEST_LABEL: &str = "value";

/// One in-scope column, with everything that its cells need.
#[derive(Debug, Clone)]
pub struct Column {
    /// How its tokens are made.
    pub treatment: Treatment,
    /// Its domain's name, under which the keys are found.
    pub domain: String,
    /// The data key that seals new values.
    pub data_key: KeyId,
    /// The longest value that is tokenised.
    pub value_bytes_max: u64,
}

/// What a cell is, as far as its shape tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// NULL, and stays so.
    Null,
    /// Empty, and stays so by policy.
    Empty,
    /// Token-shaped: a token if the vault has an entry for it, otherwise an original.
    Shaped(TokenBody),
    /// An original.
    Original,
}

impl Column {
    /// The domain.
    #[must_use]
    pub fn domain_id(&self) -> DomainId {
        self.treatment.domain()
    }

    /// Says what a cell is by its shape.
    #[must_use]
    pub fn fate(&self, cell: Option<&Original>) -> Fate {
        match cell {
            None => Fate::Null,
            Some(cell) if self.treatment.keeps(cell) => Fate::Empty,
            Some(cell) => match self.treatment.recognise(cell) {
                Some(token) => Fate::Shaped(token),
                None => Fate::Original,
            },
        }
    }

    /// Why a value cannot have a token, if it cannot. Says nothing of the value but its length.
    #[must_use]
    pub fn refusal(&self, original: &Original) -> Option<String> {
        (original.len() as u64 > self.value_bytes_max)
            .then(|| format!("a value is longer than {} bytes", self.value_bytes_max))
    }

    /// The token of a value, where it follows from the value.
    ///
    /// # Errors
    ///
    /// [`Misfit`] where the value has not the shape that a `format` column needs.
    pub fn derive(&self, keys: &KeyRing, original: &Original) -> Result<TokenBody, Misfit> {
        let token_key = keys.token_key(&self.domain).ok_or(Misfit::NoFormatKey)?;
        let format_key = keys.format_key(&self.domain);
        self.treatment.derive(
            &|parts: &[&[u8]]| token_key.hmac(parts),
            format_key.map(crate::crypto::FormatKey::expose),
            original,
        )
    }

    /// The keyed digest by which equal values of this column are known to be equal.
    #[must_use]
    pub fn digest(&self, keys: &KeyRing, original: &Original) -> [u8; 16] {
        let normal;
        let value = if self.treatment.normalise() == Normalise::None {
            original.expose()
        } else {
            normal = crate::token::normalise(self.treatment.normalise(), original);
            &normal
        };
        let domain = self.domain_id().to_be_bytes();
        keys.index().digest(DIGEST_LABEL, &[&domain, &[original.kind().code()], value])
    }

    /// The same digest by the second implementation, for verification.
    #[must_use]
    pub fn second_digest(&self, keys: &KeyRing, original: &Original) -> [u8; 16] {
        let normal;
        let value = if self.treatment.normalise() == Normalise::None {
            original.expose()
        } else {
            normal = crate::token::normalise(self.treatment.normalise(), original);
            &normal
        };
        let domain = self.domain_id().to_be_bytes();
        keys.index().verifier_digest(DIGEST_LABEL, &[&domain, &[original.kind().code()], value])
    }

    /// The key of the blind index for a value of a `dedupe` column.
    #[must_use]
    pub fn blind_digest(&self, keys: &KeyRing, original: &Original) -> Option<[u8; 16]> {
        let token_key = keys.token_key(&self.domain)?;
        let mac = |parts: &[&[u8]]| token_key.hmac(parts);
        Some(self.treatment.blind_index(&mac, original))
    }

    /// What a sealed value is bound to.
    #[must_use]
    pub fn context<'t>(
        &self,
        keys: &KeyRing,
        token: &'t TokenBody,
        kind: ValueType,
    ) -> crate::crypto::SealContext<'t> {
        crate::crypto::SealContext {
            vault: keys.vault(),
            domain: self.domain_id().0,
            token: token.as_bytes(),
            kind,
            normalise: self.treatment.normalise(),
        }
    }
}
