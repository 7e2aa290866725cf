//! One column, value after value.

use super::{Detectors, Finding, Subject};
use crate::value::Original;

/// Looks at the values of one column, in bounded memory.
pub struct Profile<'d> {
    detectors: &'d Detectors,
}

impl<'d> Profile<'d> {
    /// Begins to look at a column.
    #[must_use]
    pub fn new(detectors: &'d Detectors, subject: &Subject<'_>) -> Self {
        let _ = (detectors.for_column(subject.column), subject);
        Self { detectors }
    }

    /// Looks at a value.
    pub fn add(&mut self, original: &Original) {
        let _ = (self.detectors, original);
    }

    /// Counts a NULL.
    pub fn add_null(&mut self) {}

    /// What the column holds.
    #[must_use]
    pub fn findings(self) -> Vec<Finding> {
        Vec::new()
    }
}
