//! Named places in the passes at which a test can have the process die.
//!
//! Without the feature `failpoints` nothing of it is in the program. `docs/CRASH-MATRIX.md` says what
//! holds after a death at each place.

/// Marks a place: where a test has named it, the process ends here as if it had been killed.
pub(crate) fn here(place: &'static str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(place);
    #[cfg(not(feature = "failpoints"))]
    let _ = place;
}

/// Has a place that computes something compute it wrong.
#[cfg(feature = "failpoints")]
pub fn bend(place: &str) {
    let _ = fail::cfg(place, "return");
}

/// Has the process die at a place: `PLACE`, or `PLACE:N` for the N-th time that it is reached.
#[cfg(feature = "failpoints")]
pub fn die_at(named: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};

    let (place, times) = named.split_once(':').unwrap_or((named, "1"));
    let left = AtomicU32::new(times.parse().unwrap_or(1));
    let die = move || {
        if left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // No destructor runs and nothing is flushed: what a kill leaves behind.
            std::process::abort();
        }
    };
    // A place that nobody reaches lets the process live, and the test sees that it did.
    let _ = fail::cfg_callback(place, die);
}

/// Has the process wait at a place when it is first reached: `PLACE=FILE`. It makes the file, and goes on
/// once somebody has removed it, or after half a minute.
#[cfg(feature = "failpoints")]
pub fn hold_at(named: &str) {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    let Some((place, file)) = named.split_once('=') else { return };
    let (was_there, file) = (AtomicBool::new(false), std::path::PathBuf::from(file));
    let hold = move || {
        if was_there.swap(true, Ordering::SeqCst) || std::fs::write(&file, "").is_err() {
            return;
        }
        let begun = Instant::now();
        while file.exists() && begun.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let _ = fail::cfg_callback(place, hold);
}
