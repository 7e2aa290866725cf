//! A plan as a run keeps it: the assessment, the document, and the hashes of the document's forms.
//!
//! **Invariant:** the document is kept as the bytes of its JSON, so the JSON can always be given out
//! again as it was. Page and text are drawn from it; a later version that draws them differently
//! shows by the hash that it does.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{PlanDocument, sha256};
use crate::plan::Assessment;

/// What stands in a run's row. In JSON the assessment's members stand beside `document`, so that
/// who wants the assessment alone reads it as ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredPlan {
    /// What the plan found, and what the run will do.
    #[serde(flatten)]
    pub assessment: Assessment,
    /// The document that was written of it; `None` in runs of a version without documents.
    #[serde(default)]
    pub document: Option<StoredDocument>,
}

/// A document on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDocument {
    /// The document as JSON, byte for byte.
    pub json: String,
    /// SHA-256 of the page, in lowercase hex. This is *the* hash of the document.
    pub html_sha256: String,
    /// SHA-256 of the text without colour.
    pub text_sha256: String,
}

/// The forms that a document can be read and signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentForm {
    /// A page.
    Html,
    /// JSON.
    Json,
    /// Text.
    Text,
}

impl DocumentForm {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Html, Self::Json, Self::Text];

    /// The word for it, which is also how its files end.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Json => "json",
            Self::Text => "txt",
        }
    }

    /// The form of a file, by how its name ends.
    #[must_use]
    pub fn of_file(extension: &str) -> Option<Self> {
        let end = extension.to_ascii_lowercase();
        let end = if end == "htm" { "html" } else { end.as_str() };
        Self::ALL.into_iter().find(|form| form.name() == end)
    }
}

impl StoredDocument {
    /// Keeps a document.
    #[must_use]
    pub fn of(document: &PlanDocument) -> Self {
        Self {
            json: document.to_json(),
            html_sha256: sha256(document.to_html().as_bytes()),
            text_sha256: sha256(document.to_text().as_bytes()),
        }
    }

    /// The hash on record for a form.
    #[must_use]
    pub fn sha256(&self, form: DocumentForm) -> String {
        match form {
            DocumentForm::Html => self.html_sha256.clone(),
            DocumentForm::Json => sha256(self.json.as_bytes()),
            DocumentForm::Text => self.text_sha256.clone(),
        }
    }

    /// Which form of the document these bytes are, if any.
    #[must_use]
    pub fn recognise(&self, bytes: &[u8]) -> Option<DocumentForm> {
        let found = sha256(bytes);
        DocumentForm::ALL.into_iter().find(|form| self.sha256(*form) == found)
    }

    /// Draws a form again. JSON always comes out as it was; whether the others do, the hash says.
    ///
    /// # Errors
    ///
    /// Where the document is of a shape that this version does not know.
    pub fn draw(&self, form: DocumentForm) -> Result<String, serde_json::Error> {
        Ok(match form {
            DocumentForm::Html => PlanDocument::from_json(&self.json)?.to_html(),
            DocumentForm::Json => self.json.clone(),
            DocumentForm::Text => PlanDocument::from_json(&self.json)?.to_text(),
        })
    }
}

/// What an approver of a plan signs, in lowercase hex: SHA-256 over vault, source, policy, catalog,
/// the document's page and the plan as it is stored, each with its length before it.
///
/// The stored plan holds the document's JSON and the hash of its text, so a signature covers every
/// form in which somebody may have read it.
#[must_use]
pub fn plan_digest(
    vault: &str,
    source: &str,
    policy: &str,
    stored: &StoredPlan,
    json: &str,
) -> String {
    let document = stored.document.as_ref().map_or("", |document| &document.html_sha256);
    let mut hash = Sha256::new();
    for field in
        ["sealift/v2/plan", vault, source, policy, &stored.assessment.fingerprint, document, json]
    {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}
