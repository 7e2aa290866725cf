//! What is printed: results on standard output, everything else on standard error.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::args::{Color, Format};
use super::exit::Failure;
use super::next::Given;
use crate::ports::Progress;

/// Where results go, and in which form.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    colored: bool,
    capture: Option<Arc<Capture>>,
    given: Given,
}

impl Output {
    /// Decides about colour once.
    #[must_use]
    pub fn new(format: Format, color: Color) -> Self {
        let colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal()
            }
        };
        Self { format, colored, capture: None, given: Given::default() }
    }

    /// Prints nothing: what would be printed, for people and for programs, is kept for whoever
    /// called the verb.
    #[must_use]
    pub fn captured(format: Format, capture: Arc<Capture>) -> Self {
        Self { format, colored: false, capture: Some(capture), given: Given::default() }
    }

    /// Remembers what was typed, for commands that come next.
    #[must_use]
    pub(super) fn given(mut self, given: Given) -> Self {
        self.given = given;
        self
    }

    /// Whether programs read it.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.capture.is_some() || self.format == Format::Json
    }

    /// How wide the terminal is: what `COLUMNS` says, what the terminal says, or the usual.
    #[must_use]
    pub fn columns() -> usize {
        const USUAL: usize = 80;
        let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        said.or_else(|| {
            let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
            Some(usize::from(size.ws_col))
        })
        .filter(|columns| *columns > 0)
        .unwrap_or(USUAL)
    }

    /// Whether it may be coloured.
    #[must_use]
    pub fn is_colored(&self) -> bool {
        self.colored
    }

    /// The form of a report.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// One object of a result, for programs.
    pub fn object(&self, object: &Value) {
        match &self.capture {
            Some(capture) => capture.keep(|heard| heard.objects.push(object.clone())),
            None if self.is_json() => print(&object.to_string()),
            None => {}
        }
    }

    /// One line of a result, for people.
    pub fn line(&self, line: impl AsRef<str>) {
        match &self.capture {
            Some(capture) => capture.keep(|heard| heard.lines.push(line.as_ref().to_owned())),
            None if !self.is_json() => print(line.as_ref()),
            None => {}
        }
    }

    /// A note on standard error.
    pub fn note(&self, line: impl AsRef<str>) {
        match &self.capture {
            Some(capture) => capture.keep(|heard| heard.lines.push(line.as_ref().to_owned())),
            None => note(line),
        }
    }

    /// A line that stands out.
    pub fn heading(&self, line: &str) {
        self.line(self.styled(line, Style::new().bold()));
    }

    /// Who does what next, as a command to paste.
    pub fn next(&self, who: &str, command: &str) {
        let arrow = self.styled("next:", Style::new().fg_color(Some(AnsiColor::Cyan.into())));
        self.line(format!("{arrow} {who}: {}", self.given.complete(command)));
    }

    /// As [`next`](Self::next), on standard error.
    pub fn next_aside(&self, who: &str, command: &str) {
        if !self.is_json() {
            self.note(format!("next: {who}: {}", self.given.complete(command)));
        }
    }

    /// A word in the colour of its meaning.
    #[must_use]
    pub fn verdict(&self, word: &str, color: AnsiColor) -> String {
        self.styled(word, Style::new().bold().fg_color(Some(color.into())))
    }

    /// A line in the colour of its meaning.
    #[must_use]
    pub fn toned(&self, line: &str, color: AnsiColor) -> String {
        self.styled(line, Style::new().fg_color(Some(color.into())))
    }

    fn styled(&self, text: &str, style: Style) -> String {
        if self.colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Progress for a long step: bars on a terminal, lines elsewhere, nothing for programs.
    #[must_use]
    pub fn progress(&self) -> Box<dyn Progress> {
        if let Some(capture) = &self.capture {
            Box::new(Arc::clone(&capture.progress))
        } else if self.is_json() {
            Box::new(crate::ports::Silent)
        } else if std::io::stderr().is_terminal() {
            Box::new(Bars(Mutex::new(None)))
        } else {
            Box::new(Lines(Mutex::new(None)))
        }
    }
}

/// What a verb says, kept instead of printed.
pub struct Capture {
    heard: Mutex<Heard>,
    progress: Arc<dyn Progress>,
}

/// What a verb has said.
#[derive(Default)]
pub struct Heard {
    /// The objects, as programs read them.
    pub objects: Vec<Value>,
    /// The lines, as people read them.
    pub lines: Vec<String>,
}

impl Capture {
    /// Keeps what is said, and tells `progress` how far it is.
    #[must_use]
    pub fn new(progress: Arc<dyn Progress>) -> Arc<Self> {
        Arc::new(Self { heard: Mutex::default(), progress })
    }

    /// Gives out what was said since the last time.
    #[must_use]
    pub fn take(&self) -> Heard {
        self.heard.lock().map(|mut heard| std::mem::take(&mut *heard)).unwrap_or_default()
    }

    fn keep(&self, put: impl FnOnce(&mut Heard)) {
        if let Ok(mut heard) = self.heard.lock() {
            put(&mut heard);
        }
    }
}

/// What is captured may be a value that somebody was permitted to see: it does not print.
impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capture(..)")
    }
}

/// A closed pipe is no reason to panic: whoever read it has enough.
fn print(line: &str) {
    // What is coloured was decided once; a stream that decides again would take `always` back.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes to standard output as it is. A closed pipe is no failure: whoever read it has enough.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    match std::io::stdout().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output cannot be written: {error}"))
                .hint("make room, or name a file with `--output`"))
        }
        _ => Ok(()),
    }
}

/// A note on standard error.
pub(crate) fn note(line: impl AsRef<str>) {
    let _ = writeln!(anstream::stderr(), "{}", line.as_ref());
}

struct Bars(Mutex<Option<ProgressBar>>);

impl Progress for Bars {
    fn begin(&self, step: &str, unit: &str, total: u64) {
        let template = format!(
            "{{prefix:>18}} {{wide_bar}} {{human_pos}}/{{human_len}} {unit} {{per_sec}} {{eta}}"
        );
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total).with_style(style).with_prefix(step.to_owned());
        if let Ok(mut current) = self.0.lock() {
            *current = Some(bar);
        }
    }

    fn advance(&self, done: u64) {
        if let Ok(current) = self.0.lock()
            && let Some(bar) = current.as_ref()
        {
            bar.inc(done);
        }
    }

    fn end(&self) {
        if let Ok(mut current) = self.0.lock()
            && let Some(bar) = current.take()
        {
            bar.finish();
        }
    }
}

/// One step, as lines every few seconds.
struct Step {
    name: String,
    unit: String,
    total: u64,
    done: u64,
    begun: Instant,
    told: Instant,
}

struct Lines(Mutex<Option<Step>>);

const LINES_EVERY: Duration = Duration::from_secs(5);

impl Progress for Lines {
    fn begin(&self, step: &str, unit: &str, total: u64) {
        let now = Instant::now();
        let step = Step {
            name: step.to_owned(),
            unit: unit.to_owned(),
            total,
            done: 0,
            begun: now,
            told: now,
        };
        if let Ok(mut current) = self.0.lock() {
            *current = Some(step);
        }
    }

    fn advance(&self, done: u64) {
        let Ok(mut current) = self.0.lock() else { return };
        let Some(step) = current.as_mut() else { return };
        step.done += done;
        if step.told.elapsed() >= LINES_EVERY {
            step.told = Instant::now();
            note(step.line());
        }
    }

    fn end(&self) {
        if let Ok(mut current) = self.0.lock()
            && let Some(step) = current.take()
        {
            note(step.line());
        }
    }
}

impl Step {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    fn line(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let rate = self.done as f64 / seconds;
        let left = self.total.saturating_sub(self.done) as f64 / rate.max(0.001);
        let left = if self.done < self.total {
            format!(", {} s left", left.round() as u64)
        } else {
            String::new()
        };
        let Self { name, unit, total, done, .. } = self;
        format!("{name}: {done} of {total} {unit}, {} {unit}/s{left}", rate.round() as u64)
    }
}
