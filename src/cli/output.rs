//! What is printed: results on standard output, everything else on standard error.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::args::{Color, Format};
use crate::ports::Progress;

/// Where results go, and in which form.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    colored: bool,
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
        Self { format, colored }
    }

    /// Whether programs read it.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// The form of a report.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// One object of a result, for programs.
    pub fn object(&self, object: &Value) {
        if self.is_json() {
            print(&object.to_string());
        }
    }

    /// One line of a result, for people.
    pub fn line(&self, line: impl AsRef<str>) {
        if !self.is_json() {
            print(line.as_ref());
        }
    }

    /// A line that stands out.
    pub fn heading(&self, line: &str) {
        self.line(self.styled(line, Style::new().bold()));
    }

    /// Who does what next, as a command to paste.
    pub fn next(&self, who: &str, command: &str) {
        if !self.is_json() {
            let arrow = self.styled("next:", Style::new().fg_color(Some(AnsiColor::Cyan.into())));
            print(&format!("{arrow} {who}: {command}"));
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
        if self.is_json() {
            Box::new(crate::ports::Silent)
        } else if std::io::stderr().is_terminal() {
            Box::new(Bars(Mutex::new(None)))
        } else {
            Box::new(Lines(Mutex::new(None)))
        }
    }
}

/// A closed pipe is no reason to panic: whoever read it has enough.
fn print(line: &str) {
    let _ = writeln!(anstream::stdout(), "{line}");
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
