//! Values that PostgreSQL keeps in bytes of their type: found in that form before a purge, and in no
//! file of the server after it.

use data_encoding::HEXLOWER;

use crate::support::{Cluster, Desk, Needle, Postgres, found_in, to_phase};

const ROWS: usize = 300;

const TABLE: &str = "
    CREATE TABLE account (id bigint PRIMARY KEY, tag uuid, card bigint, worth numeric,
        seen timestamptz, born date, photo bytea, papers jsonb, names text[]);
    INSERT INTO account SELECT i,
        overlay(overlay(md5(i::text) PLACING '4' FROM 13) PLACING 'a' FROM 17)::uuid,
        4000000000000000 + i * 7919, (i * 7919 + 0.5) * 1000000000000 + 0.123456789,
        '2023-05-06 07:08:09.5+00'::timestamptz + i * interval '61.7 seconds',
        '1950-01-01'::date + i, decode(md5('photo' || i) || md5('more' || i), 'hex'),
        jsonb_build_object('passport', 'passport number ' || md5('papers' || i)),
        ARRAY['first name ' || md5('name' || i), 'second']
    FROM generate_series(1, 300) AS i;
    CREATE INDEX ON account (tag); CREATE INDEX ON account (card); CREATE INDEX ON account (seen);
    ANALYZE;";

fn policy() -> String {
    let column = |name: &str, how: &str| {
        format!(
            "\n[[column]]\nname = \"account.{name}\"\nclass = \"contact\"\nwaive = [\"low_entropy\"]\n{how}\n"
        )
    };
    let widened = "token = \"random\"\nfit = \"widen\"";
    let columns = [
        column("tag", "token = \"uuid\""),
        column("card", widened),
        column("worth", widened),
        column("seen", widened),
        column("born", widened),
        column("photo", "token = \"random\""),
        column("papers", "token = \"random\"\ntemplate = '\"{token}\"'"),
        column("names", "token = \"random\"\ntemplate = \"{{token}}\""),
    ];
    format!("[source]\nname = \"crm\"\n{}", columns.concat())
}

/// The bytes in which the server keeps values, as it sends them itself where that is the same.
fn needles(db: &mut Postgres) -> Vec<Needle> {
    let hex = |text: &String| HEXLOWER.decode(text.as_bytes()).unwrap();
    let mut needles = Vec::new();
    let sent = [
        "SELECT encode(uuid_send(tag), 'hex') FROM account",
        "SELECT encode(photo, 'hex') FROM account",
    ];
    for sql in sent {
        needles.extend(db.column(sql).iter().map(|text| Needle::new(hex(text))));
    }
    // These it sends the other way round.
    let turned = [
        "SELECT encode(int8send(card), 'hex') FROM account",
        "SELECT encode(timestamptz_send(seen), 'hex') FROM account",
    ];
    for sql in turned {
        for text in db.column(sql) {
            let mut bytes = hex(&text);
            bytes.reverse();
            needles.push(Needle::new(bytes));
        }
    }
    for text in db.column("SELECT encode(numeric_send(worth), 'hex') FROM account") {
        // Behind the head of eight bytes, groups of two, which it sends the other way round.
        let groups = hex(&text)[8..].chunks(2).flat_map(|two| [two[1], two[0]]).collect::<Vec<_>>();
        needles.push(Needle::new(groups));
    }
    for sql in ["SELECT papers->>'passport' FROM account", "SELECT names[1] FROM account"] {
        needles.extend(db.column(sql).into_iter().map(Needle::new));
    }
    needles
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn values_of_every_type_are_found_in_the_bytes_of_their_type_and_gone_after_the_purge() {
    let server = Cluster::made(&[("min_wal_size", "2MB")], &["--wal-segsize", "1"]);
    server.start();
    let mut db = Postgres::on(&server.url(), TABLE);
    db.exec("CHECKPOINT");
    let needles = needles(&mut db);
    assert_eq!(needles.len(), 7 * ROWS);
    let data = server.path("data");
    let before = found_in(&data.join("base"), &needles);
    assert!(before.len() >= needles.len(), "each is there before: {}", before.len());
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", &policy());

    let run = to_phase(&desk, "sealed");
    let scanned = desk.json(&["residue", "scan", data.join("base").to_str().unwrap()]).ends(1);
    let mut forms = std::collections::BTreeMap::<String, u64>::new();
    for object in scanned.objects() {
        for (form, count) in object["by_encoding"].as_object().into_iter().flatten() {
            *forms.entry(form.clone()).or_default() += count.as_u64().unwrap();
        }
    }
    for form in ["uuid", "integer_le", "numeric", "timestamp"] {
        assert!(forms.get(form).is_some_and(|count| *count >= 300), "{form}: {forms:?}");
    }
    desk.run(&["run", &run]).done();
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();

    assert_eq!(found_in(&server.path(""), &needles), [""; 0]);
    let report = desk.run(&["report", &run, "--format", "json"]).done();
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    let certificate = &report["certificate"];
    assert_eq!(certificate["word"], "CLEAN", "{certificate}");
    // Dates are four bytes, documents and arrays are taken apart: these are proven by structure.
    let not_searchable = certificate["scan_after"]["not_byte_searchable"].as_u64().unwrap();
    assert!(not_searchable >= 3 * ROWS as u64, "{certificate}");
}
