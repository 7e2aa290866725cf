//! TLS: certificates from files, read again when they change, without dropping a connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use sha2::{Digest as _, Sha256};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where the certificate is.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate and those above it, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// Who signs the certificates of clients, as PEM; without it clients need none.
    pub client_ca: Option<PathBuf>,
}

/// Why TLS cannot be spoken. No variant holds a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or holds no such thing.
    #[error("`{}` cannot be read as PEM with {what}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The parts do not fit each other.
    #[error("certificate and key cannot be used")]
    Unusable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// [`TlsError`] names the file, or says that key and certificate do not fit.
    pub fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |error: rustls::Error| TlsError::Unusable(Box::new(error));
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|_| TlsError::File { path: self.key.clone(), what: "a private key" })?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(unusable)?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| TlsError::Unusable(Box::new(error)))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn digest(&self) -> [u8; 32] {
        let files = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        let mut hash = Sha256::new();
        for file in files.into_iter().flatten() {
            hash.update(std::fs::read(file).unwrap_or_default());
            hash.update([0]);
        }
        hash.finalize().into()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unread = || TlsError::File { path: path.to_owned(), what: "certificates" };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|_| unread())?
        .collect::<Result<_, _>>()
        .map_err(|_| unread())?;
    if found.is_empty() { Err(unread()) } else { Ok(found) }
}

/// Uses changed files for new connections; those that cannot be used are left aside, and said so.
pub(super) async fn keep(files: TlsFiles, config: RustlsConfig) {
    let mut known = files.digest();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let digest = files.digest();
        if digest == known {
            continue;
        }
        known = digest;
        match files.config() {
            Ok(changed) => {
                config.reload_from_config(changed);
                tracing::info!("the certificate was read anew");
            }
            Err(error) => {
                tracing::error!(error = %crate::serve::chain(&error), "the certificate stays");
            }
        }
    }
}
