//! Progress: what a long step tells whoever watches. Counts, never values.

/// Whoever watches a run.
pub trait Progress: Send + Sync {
    /// A step begins that will do about this much.
    fn begin(&self, step: &str, unit: &str, total: u64);

    /// So much more of it is done.
    fn advance(&self, done: u64);

    /// The step is over.
    fn end(&self);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _step: &str, _unit: &str, _total: u64) {}

    fn advance(&self, _done: u64) {}

    fn end(&self) {}
}

/// Several may watch through one.
impl<P: Progress + ?Sized> Progress for std::sync::Arc<P> {
    fn begin(&self, step: &str, unit: &str, total: u64) {
        (**self).begin(step, unit, total);
    }

    fn advance(&self, done: u64) {
        (**self).advance(done);
    }

    fn end(&self) {
        (**self).end();
    }
}
