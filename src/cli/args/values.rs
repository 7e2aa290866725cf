//! What can be typed to read values, or to let others read them.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// `detokenize`
#[derive(Debug, ClapArgs)]
pub struct Detokenize {
    /// Under which purpose
    #[arg(long)]
    pub purpose: String,
    /// Why; kept sealed
    #[arg(long, value_parser = super::words)]
    pub reason: String,
    /// The domain of `format` and `uuid` tokens, which do not name one
    #[arg(long)]
    pub domain: Option<String>,
    /// The tokens; without any they are read from standard input, one a line
    pub tokens: Vec<String>,
}

/// `tokenize`
#[derive(Debug, ClapArgs)]
pub struct Tokenize {
    /// Under which purpose
    #[arg(long)]
    pub purpose: String,
    /// Why; kept sealed
    #[arg(long, value_parser = super::words)]
    pub reason: String,
    /// The domain
    #[arg(long)]
    pub domain: String,
    /// A file with the values, one a line; without it they are read from standard input
    #[arg(long, value_name = "FILE")]
    pub values_file: Option<PathBuf>,
}

/// `serve`
#[derive(Debug, ClapArgs)]
pub struct Serve {
    /// Where to listen; plain HTTP only on a loopback address
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8460")]
    pub listen: std::net::SocketAddr,
    /// The certificate and those above it (PEM); read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Who signs the certificates of clients (PEM); without it clients need none
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub client_ca: Option<PathBuf>,
}
