//! Encrypted connections: each mode of `sslmode`, and certificates that must not be trusted.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::support::{Answer, Cluster, Desk, Postgres};

const POLICY: &str = "[source]\nname = \"crm\"\n
[[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n";

/// An authority that an owner of servers keeps for himself.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key.
    fn signs(&self, host: &str, ends: i32) -> (String, String) {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(ends, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A server with a certificate, and a way to ask for a plan of it.
struct Setting {
    server: Cluster,
    db: Postgres,
    desk: Desk,
}

impl Setting {
    fn with(certificate: &(String, String)) -> Self {
        let settings =
            [("ssl", "on"), ("ssl_cert_file", "../server.pem"), ("ssl_key_file", "../server.key")];
        let server = Cluster::made(&settings, &[]);
        present(&server, certificate);
        server.start();
        let sql = "CREATE TABLE people (id integer PRIMARY KEY, email text);";
        let db = Postgres::on(&server.url(), sql);
        let desk = Desk::new();
        desk.write("shop.toml", POLICY);
        Self { server, db, desk }
    }

    /// Plans over a connection with these parameters.
    fn plan(&self, host: &str, parameters: &str) -> Answer {
        let url = self.db.url().replace("127.0.0.1", host);
        let source = format!("{url}?{parameters}");
        self.desk.run(&["plan", "--policy", "shop.toml", "--dry-run", "--source", &source])
    }

    /// The server shows another certificate from now on.
    fn shows(&mut self, certificate: &(String, String)) {
        present(&self.server, certificate);
        self.db.exec("SELECT pg_reload_conf()");
        // The server reloads when its process comes to it.
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

fn present(server: &Cluster, (certificate, key): &(String, String)) {
    server.write("server.pem", certificate);
    server.write("server.key", key);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_server_is_believed_as_far_as_the_mode_says() {
    let (ours, theirs) = (Authority::new("Invented authority"), Authority::new("Another one"));
    let mut setting = Setting::with(&ours.signs("localhost", 2100));
    setting.desk.write("ours.pem", &ours.pem);
    setting.desk.write("theirs.pem", &theirs.pem);
    for parameters in ["sslmode=disable", "sslmode=prefer", "sslmode=require", ""] {
        setting.plan("127.0.0.1", parameters).done();
    }
    setting.plan("127.0.0.1", "sslmode=verify-ca&sslrootcert=ours.pem").done();
    setting.plan("localhost", "sslmode=verify-full&sslrootcert=ours.pem").done();
    // Who names an authority wants it asked, as with PostgreSQL's own programs.
    setting.plan("127.0.0.1", "sslmode=require&sslrootcert=ours.pem").done();
    let unknown = ["signed by nobody who is trusted here", "sslrootcert=FILE"];
    setting.plan("localhost", "sslmode=verify-full").fails(2, &unknown);
    setting.plan("localhost", "sslmode=verify-full&sslrootcert=theirs.pem").fails(2, &unknown);
    setting.plan("127.0.0.1", "sslmode=verify-ca&sslrootcert=theirs.pem").fails(2, &unknown);
    setting.plan("127.0.0.1", "sslmode=require&sslrootcert=theirs.pem").fails(2, &unknown);
    setting
        .plan("127.0.0.1", "sslmode=verify-full&sslrootcert=ours.pem")
        .fails(2, &["for another host", "as the certificate has it"]);
    setting.shows(&ours.signs("localhost", 2021));
    setting
        .plan("localhost", "sslmode=verify-full&sslrootcert=ours.pem")
        .fails(2, &["not valid at this time", "renewed"]);
    setting
        .plan("localhost", "sslmode=verify-ca&sslrootcert=nowhere.pem")
        .fails(2, &["sslrootcert"]);
    setting
        .plan("localhost", "sslmode=verify_full")
        .fails(2, &["postgres://USER@HOST:PORT/DATABASE"]);
    for answer in setting.desk.said() {
        let shown = format!("{}{}", answer.stdout, answer.stderr);
        assert!(!shown.contains(setting.db.password()), "{answer}");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_server_without_encryption_is_refused_where_the_mode_asks_for_it() {
    let db = Postgres::with("CREATE TABLE people (id integer PRIMARY KEY, email text);");
    let desk = Desk::new();
    desk.write("shop.toml", POLICY);
    for (mode, code) in [("disable", 0), ("prefer", 0), ("require", 2), ("verify-full", 2)] {
        let source = format!("{}?sslmode={mode}", db.url());
        let answer = desk.run(&["plan", "--policy", "shop.toml", "--dry-run", "--source", &source]);
        if code == 2 {
            answer.fails(2, &["does not encrypt", "`ssl` on in the server"]);
        } else {
            answer.done();
        }
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_vault_is_kept_over_an_encrypted_connection() {
    let ours = Authority::new("Invented authority");
    let setting = Setting::with(&ours.signs("localhost", 2100));
    let url = setting.db.url().replace("127.0.0.1", "localhost");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ours.pem");
    std::fs::write(&file, &ours.pem).unwrap();
    let url = format!("{url}?sslmode=verify-full&sslrootcert={}", file.display());
    let desk = Desk::between(&url, &url);
    desk.write("shop.toml", POLICY);
    let run = crate::support::verified(&desk);
    desk.run(&["rollback", &run]).done();
}
