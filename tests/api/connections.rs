//! Where it listens, how it speaks TLS, and how it ends.

use std::fs;
use std::sync::Arc;

use serde_json::json;

use super::desk::{credential, desk, email, requests, token};
use crate::support::{Desk, Server, reply_of};

#[test]
fn plain_http_is_for_loopback_alone() {
    let desk = desk();
    desk.run(&["serve", "--listen", "0.0.0.0:0"]).fails(2, &["loopback", "--tls-cert"]);
    desk.run(&["serve", "--listen", "nowhere"]).ends(2);
    desk.run(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", "c.pem"]).ends(2);
    let files = ["--tls-cert", "none.pem", "--tls-key", "none.pem"];
    desk.run(&[&["serve", "--listen", "127.0.0.1:0"], &files[..]].concat()).fails(2, &["none.pem"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    desk.run(&["serve", "--listen", &address]).fails(2, &["cannot listen", &address]);
    for caller in ["bob", "carol", "dave"] {
        desk.run_as(caller, &["serve", "--listen", "127.0.0.1:0"]).fails(3, &["serve"]);
    }
}

#[test]
fn it_ends_when_it_is_told_to_and_leaves_nothing_waiting() {
    let desk = desk();
    let server = Server::start(&desk);
    server.detokenize(&credential(&desk, "carol"), "support_case", &[&token(&desk, "email", 1)]);
    server.end();

    let mut vault = crate::support::Db::open(&desk.vault());
    assert_eq!(vault.value("SELECT count(*) FROM sealift_intake"), "0");
    let signed: u64 = vault.value("SELECT max(size) FROM sealift_checkpoint").parse().unwrap();
    let entries: u64 = vault.value("SELECT count(*) FROM sealift_ledger").parse().unwrap();
    assert_eq!(signed, entries, "what it recorded is signed");
    drop(vault);
    assert_eq!(requests(&desk).len(), 1);
}

struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

fn authority() -> Authority {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { issuer: rcgen::Issuer::new(params, key), pem }
}

impl Authority {
    /// A certificate for `localhost`, and its key.
    fn issue(&self) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// What a client needs to trust it.
    fn client(&self, own: Option<&(String, String)>) -> Arc<rustls::ClientConfig> {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        })
    }
}

/// Asks over TLS; `None` where the handshake or the connection fails.
fn ask(server: &Server, config: &Arc<rustls::ClientConfig>, desk: &Desk) -> Option<String> {
    use std::io::Write as _;
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut socket = server.connect();
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    let body =
        json!({"purpose": "support_case", "reason": "r", "tokens": [token(desk, "email", 1)]});
    let request = format!(
        "POST /v1/detokenize HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        credential(desk, "carol"),
        body.to_string().len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    reply_of(&mut stream).map(|reply| reply.body)
}

#[test]
fn certificates_are_read_anew_when_they_change_and_clients_may_need_one() {
    let desk = desk();
    let (first, second, clients) = (authority(), authority(), authority());
    let write = |authority: &Authority| {
        let (certificate, key) = authority.issue();
        fs::write(desk.path("key.pem"), key).unwrap();
        fs::write(desk.path("cert.pem"), certificate).unwrap();
    };
    write(&first);
    desk.write("clients.pem", &clients.pem);
    let files = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--client-ca", "clients.pem"];
    let server = Server::start_with(&desk, &files);
    let own = clients.issue();
    let (old, new) = (first.client(Some(&own)), second.client(Some(&own)));

    assert!(ask(&server, &old, &desk).unwrap().contains(&email(1)));
    assert!(ask(&server, &first.client(None), &desk).is_none(), "a client needs a certificate");
    let stranger = second.issue();
    assert!(ask(&server, &first.client(Some(&stranger)), &desk).is_none(), "one of ours");

    write(&second);
    let changed = (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(200));
        ask(&server, &new, &desk).is_some_and(|body| body.contains(&email(1)))
    });
    assert!(changed, "the new certificate is in use");
    desk.write("cert.pem", "no certificate");
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert!(ask(&server, &new, &desk).is_some(), "what cannot be used is left aside");
    server.end();
}
