//! Where the secrets that open a vault come from: passphrases, secret files, and the process itself.
//!
//! This room touches the terminal, the file system and the process; it knows no format of a secret
//! (see `crypto`) and no vault.

mod file;
mod harden;
mod passphrase;

pub use file::{SecretFileError, read_secret_file, write_secret_file};
pub use harden::{Measure, Refusal, harden};
pub use passphrase::{PassphraseError, PassphraseSource};
