//! One alert to one hook, one checkpoint to one anchor.
//!
//! It knows no ledger. Every wait has an end.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue};

use crate::alert::{Alert, Anchor, Hook, Place};

/// So long somebody may take to take an alert.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// How often a program is asked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why a place did not take what it was to be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CarryError {
    /// The address did not answer, or not as it should.
    #[error("the address did not take it")]
    Http(#[source] reqwest::Error),
    /// It answered that it does not take it.
    #[error("the address answered {0}")]
    Status(u16),
    /// The file with the header is no header.
    #[error("`{0}` does not hold one header as its only line")]
    Header(String),
    /// The program could not be started, or did not take it.
    #[error("the command could not be run")]
    Command(#[source] std::io::Error),
    /// The program ended with an error.
    #[error("the command ended with {0}")]
    Ended(std::process::ExitStatus),
    /// It took too long.
    #[error("it took longer than {} s", .0.as_secs())]
    Late(Duration),
    /// The file could not be written.
    #[error("the file could not be written")]
    File(#[source] std::io::Error),
    /// The notify file names no place.
    #[error("there is no place to tell")]
    Nowhere,
}

pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    // Whoever installed one before knows better.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(TAKEN_WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

pub(super) async fn alert(
    http: &reqwest::Client,
    hook: &Hook,
    alert: &Alert,
) -> Result<(), CarryError> {
    match hook.place().map_err(|_| CarryError::Nowhere)? {
        Place::Url(url) => post(http, url, hook.header_file.as_deref(), alert).await,
        Place::Command(command) => {
            let mut line = serde_json::to_vec(alert).unwrap_or_default();
            line.push(b'\n');
            run(command, &[("SEALIFT_ALERT", alert.kind.name())], &line).await
        }
        Place::File(_) | Place::Print => Err(CarryError::Nowhere),
    }
}

pub(super) async fn anchor(anchor: &Anchor, note: &str) -> Result<(), CarryError> {
    match anchor.place().map_err(|_| CarryError::Nowhere)? {
        Place::File(file) => append(file, note).map_err(CarryError::File),
        Place::Command(command) => run(command, &[], note.as_bytes()).await,
        Place::Print => writeln!(anstream::stderr(), "{note}").map_err(CarryError::File),
        Place::Url(_) => Err(CarryError::Nowhere),
    }
}

async fn post(
    http: &reqwest::Client,
    url: &str,
    header_file: Option<&Path>,
    alert: &Alert,
) -> Result<(), CarryError> {
    let mut request = http.post(url).json(alert);
    if let Some(file) = header_file {
        let (name, value) = header(file)?;
        request = request.header(name, value);
    }
    // An address may hold a credential: it stays out of what is said.
    let answer = request.send().await.map_err(|error| CarryError::Http(error.without_url()))?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(CarryError::Status(status.as_u16())) }
}

fn header(file: &Path) -> Result<(HeaderName, HeaderValue), CarryError> {
    let none = || CarryError::Header(file.display().to_string());
    let text = crate::keystore::read_secret_file(file).map_err(|_| none())?;
    let (name, value) = text.split_once(':').ok_or_else(none)?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| none())?;
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| none())?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Runs a program with `input` on its standard input, and waits for it, elsewhere than where requests
/// are answered.
async fn run(
    command: &[String],
    more: &[(&'static str, &'static str)],
    input: &[u8],
) -> Result<(), CarryError> {
    let (command, more, input) = (command.to_vec(), more.to_vec(), input.to_vec());
    let ended = tokio::task::spawn_blocking(move || run_here(&command, &more, &input)).await;
    ended.unwrap_or(Err(CarryError::Nowhere))
}

/// What is secret in our environment is none of the program's business.
fn run_here(
    command: &[String],
    more: &[(&'static str, &'static str)],
    input: &[u8],
) -> Result<(), CarryError> {
    let (program, arguments) = command.split_first().ok_or(CarryError::Nowhere)?;
    let mut child = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SEALIFT_") {
            child.env_remove(name);
        }
    }
    let child = child.args(arguments).envs(more.iter().copied());
    let child = child.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut child = child.map_err(CarryError::Command)?;
    if let Some(mut stdin) = child.stdin.take() {
        // It fits into a pipe. A program that does not read it has been told all the same.
        let _ = stdin.write_all(input);
    }
    let begun = Instant::now();
    loop {
        match child.try_wait().map_err(CarryError::Command)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(CarryError::Ended(status)),
            None if begun.elapsed() > TAKEN_WITHIN => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(CarryError::Late(TAKEN_WITHIN));
            }
            None => std::thread::sleep(LOOK_EVERY),
        }
    }
}

/// Appends a checkpoint, with an empty line before it where others stand already, and makes it
/// durable: the file is then a `checkpoints.txt`.
fn append(file: &Path, note: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    let is_first = file.metadata()?.len() == 0;
    let text = if is_first { note.to_owned() } else { format!("\n{note}") };
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
