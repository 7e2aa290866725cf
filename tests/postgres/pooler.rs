//! Poolers: one that drops what makes a session safe is refused, with the reason and a way out.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::{Cluster, Desk, Postgres};

const POLICY: &str = "[source]\nname = \"crm\"\n
[[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n";

/// A pooler before a server; it ends with the test.
struct Pooler {
    process: Child,
    port: u16,
}

impl Pooler {
    fn before(server: &Cluster, mode: &str, setting: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=sealift password=an-invented-password\n
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n
             unix_socket_dir =\npool_mode = {mode}\n{setting}\n",
            server.port()
        );
        let name = format!("{mode}.ini");
        server.write(&name, &config);
        let mut command = server.unprivileged("pgbouncer");
        command.arg(server.path(&name)).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("pgbouncer is installed; tests/all.sh does that");
        let is_up = |_: &u32| {
            std::thread::sleep(Duration::from_millis(50));
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        };
        assert!((0..100).any(|attempt| is_up(&attempt)), "the pooler does not answer");
        Self { process, port }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_pooler_that_drops_the_settings_of_a_session_is_refused() {
    let server = Cluster::with(&[]);
    let mut db =
        Postgres::on(&server.url(), "CREATE TABLE people (id integer PRIMARY KEY, email text);");
    let before = db.dump();
    // As it comes, and told to pass over what it does not know.
    for (mode, setting) in [
        ("transaction", ""),
        ("session", ""),
        ("transaction", "ignore_startup_parameters = options, extra_float_digits"),
        ("statement", "ignore_startup_parameters = options, extra_float_digits"),
    ] {
        let pooler = Pooler::before(&server, mode, setting);
        let place = format!("127.0.0.1:{}", server.port());
        let url = db.url().replace(&place, &format!("127.0.0.1:{}", pooler.port));
        let desk = Desk::over(&url);
        desk.write("shop.toml", POLICY);
        let refused = ["settings that keep a run safe", "pooler", "name the server itself"];
        desk.run(&["plan", "--policy", "shop.toml"]).fails(2, &refused);
        desk.run(&["scan"]).fails(2, &refused);
        let vault = Desk::bare_with(&url);
        let init = ["init", "--caller", "alice", "--role", "steward", "--credential-file", "a.key"];
        vault.run(&init).fails(2, &refused);
        assert_eq!(db.dump(), before, "nothing was written");
        assert_eq!(
            db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname = 'sealift'"),
            "0"
        );
    }
}
