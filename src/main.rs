//! The command `sealift`: parse, run, report the outcome.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use sealift::cli::Outcome;

/// A run makes and drops some millions of short values a minute, most of them on another thread than
/// the one that made them: a tenth of its time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A panic says where, never what: its message could hold a value.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |at| format!(" at {at}"));
        // Where standard error lies on a full disk, nothing can be said, and that is no reason to end.
        let _ = writeln!(
            std::io::stderr(),
            "sealift: a fault of the program{place}\nhint: please report it; nothing is half-written"
        );
    }));
    #[cfg(feature = "failpoints")]
    if let Ok(place) = std::env::var("SEALIFT_HOLD_AT") {
        sealift::run::hold_at(&place);
    }
    #[cfg(feature = "failpoints")]
    if let Ok(place) = std::env::var("SEALIFT_DIE_AT") {
        sealift::run::die_at(&place);
    }
    #[cfg(feature = "failpoints")]
    if let Ok(place) = std::env::var("SEALIFT_BEND") {
        sealift::run::bend(&place);
    }
    let args = match sealift::cli::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(outcome) => return ExitCode::from(outcome as u8),
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("SEALIFT_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(args.logs())),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .log_internal_errors(false)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(
                std::io::stderr(),
                "sealift: the runtime cannot start: {error}\nhint: the system refuses threads or memory; try again"
            );
            return ExitCode::from(Outcome::Failed as u8);
        }
    };
    match runtime.block_on(sealift::cli::run(args)) {
        Ok(outcome) => ExitCode::from(outcome as u8),
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(failure.outcome as u8)
        }
    }
}
