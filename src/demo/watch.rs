//! What is seen while a step of the tour works: one line on a terminal, nothing elsewhere.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::ports::Progress;
use crate::words::grouped;

/// How often the line moves.
const TICK: Duration = Duration::from_millis(100);

/// One line that says what is being done. Where standard error is no terminal it stays empty.
pub(super) struct Watch {
    bar: Mutex<Option<ProgressBar>>,
    counted: Mutex<Option<Counted>>,
}

struct Counted {
    step: String,
    unit: String,
    total: u64,
    done: u64,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { bar: Mutex::new(None), counted: Mutex::new(None) }
    }

    /// A step of the tour begins.
    pub(super) fn open(&self, name: &str) {
        let bar = ProgressBar::new_spinner().with_style(
            ProgressStyle::with_template("{spinner} {prefix:<12} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(TICK);
        if let Ok(mut current) = self.bar.lock() {
            *current = Some(bar);
        }
    }

    /// It is over; its line makes room.
    pub(super) fn close(&self) {
        if let Ok(mut current) = self.bar.lock()
            && let Some(bar) = current.take()
        {
            bar.finish_and_clear();
        }
    }

    fn tell(&self, message: String) {
        if let Ok(current) = self.bar.lock()
            && let Some(bar) = current.as_ref()
        {
            bar.set_message(message);
        }
    }
}

impl Progress for Watch {
    fn begin(&self, step: &str, unit: &str, total: u64) {
        self.tell(step.to_owned());
        if let Ok(mut counted) = self.counted.lock() {
            *counted =
                Some(Counted { step: step.to_owned(), unit: unit.to_owned(), total, done: 0 });
        }
    }

    fn advance(&self, done: u64) {
        let message = {
            let Ok(mut counted) = self.counted.lock() else { return };
            let Some(Counted { step, unit, total, done: so_far }) = counted.as_mut() else {
                return;
            };
            *so_far += done;
            format!("{step}: {} of {} {unit}", grouped(*so_far), grouped(*total))
        };
        self.tell(message);
    }

    fn end(&self) {
        if let Ok(mut counted) = self.counted.lock() {
            *counted = None;
        }
        self.tell(String::new());
    }
}
