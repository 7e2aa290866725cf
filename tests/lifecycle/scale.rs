//! A million rows within the memory that is promised.

use std::fs;
use std::time::Duration;

use crate::support::{Db, Desk, plan_and_approve};

const ROWS: u64 = 1_000_000;
const MEMORY_KIB_MAX: u64 = 256 * 1024;

const POLICY: &str = r#"
[source]
name = "wide"

[[column]]
name  = "people.email"
class = "contact"
token = "keyed"

[[column]]
name  = "people.name"
class = "identity"
token = "keyed"

[[column]]
name  = "people.phone"
class = "contact"
token = "random"
"#;

mod soak {
    use super::*;

    #[test]
    #[ignore = "minutes long: tests/soak.sh runs it"]
    fn a_million_rows_of_three_columns_need_no_more_memory_than_promised() {
        let desk = Desk::new();
        desk.write("shop.toml", POLICY);
        Db::open(&desk.source()).exec(format!(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO people SELECT i, 'Invented Person ' || i, 'person' || i || '@example.com',
                 '+44 7700 ' || (900000000 + i) FROM n"
        ));
        let run = plan_and_approve(&desk);

        for arguments in [
            vec!["run", &run, "--until", "backed_up"],
            vec!["run", &run, "--until", "sealed"],
            vec!["run", &run, "--until", "rewritten"],
            vec!["run", &run],
            vec!["rollback", &run],
        ] {
            let peak = peak_of(&desk, &arguments);
            eprintln!("peak memory of `{}`: {} MiB", arguments.join(" "), peak / 1024);
            assert!(peak <= MEMORY_KIB_MAX, "{arguments:?} took {peak} KiB");
        }
    }
}

/// Runs a command to its end; the most memory that it held, in KiB, as the kernel counted it.
fn peak_of(desk: &Desk, arguments: &[&str]) -> u64 {
    let mut child = desk.command(arguments).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The figure only ever rises; what is lost is what was added in the last moments.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:"));
        let figure = line.and_then(|line| line.split_whitespace().nth(1));
        peak = peak.max(figure.map_or(0, |figure| figure.parse().unwrap()));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{arguments:?} ended with {status}");
            assert!(peak > 0, "nothing was measured");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
