//! The stage: people, their orders, their notes, in SQLite or in PostgreSQL.

use crate::support::{Cluster, Db, Desk, Postgres};
use std::fmt::Write as _;

/// People on the stage.
pub(super) const PEOPLE: u32 = 60;

/// Columns in scope, with the order in which their rows are read.
pub(super) const COLUMNS: [(&str, &str, &str); 5] = [
    ("people", "id", "email"),
    ("people", "id", "name"),
    ("people", "id", "phone"),
    ("orders", "shelf, slot", "email"),
    ("notes", "code", "body"),
];

const POLICY: &str = r#"
[source]
name = "stage"

[[column]]
name   = "people.email"
class  = "contact"
domain = "email"
token  = "keyed"

[[column]]
name  = "people.name"
class = "identity"
token = "keyed"

[[column]]
name  = "people.phone"
class = "contact"
token = "random"

[[column]]
name   = "orders.email"
class  = "contact"
domain = "email"
token  = "keyed"

[[column]]
name  = "notes.body"
class = "contact"
token = "random"
empty = "keep"

[[purpose]]
name  = "support_case"
roles = ["support"]
may   = ["detokenize"]
show  = { contact = "plain", identity = "plain" }
max_tokens_per_request = 1000
"#;

/// Tables alike in both engines, but for the words of their types. `notes` is walked by a text key
/// whose holes and order are the database's own, `orders` by two columns.
const TABLES: &str = "
    CREATE TABLE people (id {big} PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE,
                         phone varchar(60), city text);
    CREATE TABLE orders (shelf text NOT NULL, slot integer NOT NULL, email text REFERENCES people (email),
                         total integer, PRIMARY KEY (shelf, slot));
    CREATE TABLE notes (code text PRIMARY KEY, body text);";

/// One of the engines, with the stage built in it.
pub(super) enum Engine {
    Sqlite(Box<Db>),
    Postgres(Box<Postgres>),
}

/// A desk over a source.
pub(super) struct Stage {
    pub(super) desk: Desk,
    pub(super) engine: Engine,
    vault: VaultPlace,
    /// Where the stage has one to itself.
    #[expect(dead_code, reason = "held, not read")]
    server: Option<Cluster>,
}

/// Where the vault is kept.
enum VaultPlace {
    /// In a SQLite file of its own.
    File,
    /// In a PostgreSQL database of its own, which lives as long as the stage.
    Database(#[expect(dead_code, reason = "held, not read")] Box<Postgres>),
    /// In the database of the source.
    Source,
}

impl Stage {
    pub(super) fn sqlite() -> Self {
        Self::over_sqlite(Desk::new(), VaultPlace::File)
    }

    /// A SQLite file whose vault is a PostgreSQL database.
    pub(super) fn sqlite_and_vault_on_postgres() -> Self {
        let vault = Postgres::with("");
        let desk = Desk::between("sqlite:shop.db", &vault.url());
        Self::over_sqlite(desk, VaultPlace::Database(Box::new(vault)))
    }

    /// Vault and source in one SQLite file.
    #[cfg(feature = "failpoints")]
    pub(super) fn one_file() -> Self {
        let desk = Desk::in_one_file();
        let stage = Self::over_sqlite(desk, VaultPlace::Source);
        stage.desk.make_vault();
        stage
    }

    /// A PostgreSQL database whose vault is another one.
    #[cfg(feature = "failpoints")]
    pub(super) fn postgres_and_vault_on_postgres() -> Self {
        let db = Postgres::with(&(TABLES.replace("{big}", "bigint") + &rows()));
        let vault = Postgres::with("");
        let desk = Desk::between(&db.url(), &vault.url());
        desk.write("shop.toml", POLICY);
        let (engine, vault) =
            (Engine::Postgres(Box::new(db)), VaultPlace::Database(Box::new(vault)));
        Self { desk, engine, vault, server: None }
    }

    fn over_sqlite(desk: Desk, vault: VaultPlace) -> Self {
        desk.write("shop.toml", POLICY);
        let mut db = Db::open(&desk.source());
        db.exec(TABLES.replace("{big}", "integer"));
        db.exec(rows());
        Self { desk, engine: Engine::Sqlite(Box::new(db)), vault, server: None }
    }

    pub(super) fn postgres() -> Self {
        Self::over_postgres(Postgres::with(&filled()), VaultPlace::File, None)
    }

    fn over_postgres(db: Postgres, vault: VaultPlace, server: Option<Cluster>) -> Self {
        let desk = match vault {
            VaultPlace::Source => Desk::between(&db.url(), &db.url()),
            VaultPlace::File | VaultPlace::Database(_) => Desk::over(&db.url()),
        };
        desk.write("shop.toml", POLICY);
        Self { desk, engine: Engine::Postgres(Box::new(db)), vault, server }
    }

    /// The same stage on a server whose files nobody else fills.
    pub(super) fn alone(self) -> Self {
        if let Engine::Sqlite(_) = self.engine {
            return self;
        }
        let server = Cluster::with(&[]);
        let db = Postgres::on(&server.url(), &filled());
        Self::over_postgres(db, self.vault, Some(server))
    }

    /// A PostgreSQL database with its vault inside.
    pub(super) fn one_database() -> Self {
        Self::over_postgres(Postgres::with(&filled()), VaultPlace::Source, None)
    }

    /// Whether the vault is a PostgreSQL database.
    pub(super) fn vault_is_postgres(&self) -> bool {
        !matches!(self.vault, VaultPlace::File)
    }

    /// Whether losing the source is losing the vault.
    pub(super) fn vault_is_in_its_source(&self) -> bool {
        matches!(self.vault, VaultPlace::Source)
    }

    pub(super) fn exec(&mut self, sql: impl Into<String>) {
        match &mut self.engine {
            Engine::Sqlite(db) => db.exec(sql),
            Engine::Postgres(db) => db.exec(sql),
        }
    }

    /// Removes our tables from the source, as somebody does who drops a schema by hand, or restores a
    /// dump that was made without it.
    pub(super) fn lose_tables(&mut self) {
        let sql = match (&self.engine, &self.vault) {
            (Engine::Sqlite(_), _) => "DROP TABLE sealift_cursor; DROP TABLE sealift_source",
            // What else lies there is the vault's.
            (Engine::Postgres(_), VaultPlace::Source) => {
                "DROP TABLE sealift.cursor, sealift.source"
            }
            (Engine::Postgres(_), VaultPlace::File | VaultPlace::Database(_)) => {
                "DROP SCHEMA sealift CASCADE"
            }
        };
        self.exec(sql);
    }

    /// The first column of a query, as text; NULL as `∅`.
    pub(super) fn column(&mut self, sql: &str) -> Vec<String> {
        match &mut self.engine {
            Engine::Sqlite(db) => db.column(sql),
            Engine::Postgres(db) => db.column(sql),
        }
    }

    /// The cells of a column in the order of its rows.
    pub(super) fn cells(&mut self, (table, key, column): (&str, &str, &str)) -> Vec<String> {
        self.column(&format!("SELECT coalesce({column}, '∅') FROM {table} ORDER BY {key}"))
    }

    /// Every cell in scope.
    pub(super) fn all_cells(&mut self) -> Vec<Vec<String>> {
        COLUMNS.into_iter().map(|column| self.cells(column)).collect()
    }

    /// What a rollback has to bring back: everything, rows and objects.
    pub(super) fn dump(&mut self) -> Vec<String> {
        match &mut self.engine {
            Engine::Sqlite(_) => {
                crate::support::dump(&self.desk.source()).lines().map(str::to_owned).collect()
            }
            Engine::Postgres(db) => db.dump(),
        }
    }

    /// Holds that nothing of ours is left, and no message showed the password.
    #[track_caller]
    pub(super) fn is_left_clean(&mut self) {
        if let Engine::Postgres(db) = &mut self.engine {
            let ours = match self.vault {
                // What is left there is the vault's, without the cursors of the source.
                VaultPlace::Source => {
                    "SELECT count(*)::text FROM pg_tables
                     WHERE schemaname = 'sealift' AND tablename IN ('cursor', 'source')"
                }
                VaultPlace::File | VaultPlace::Database(_) => {
                    "SELECT count(*)::text FROM pg_namespace WHERE nspname = 'sealift'"
                }
            };
            assert_eq!(db.value(ours), "0", "objects of ours are left");
            for answer in self.desk.said() {
                let shown =
                    answer.stdout.contains(db.password()) || answer.stderr.contains(db.password());
                assert!(!shown, "the password is shown: {answer}");
            }
        }
    }
}

/// Tables and rows for PostgreSQL.
fn filled() -> String {
    TABLES.replace("{big}", "bigint") + &rows()
}

fn rows() -> String {
    let mut sql = String::new();
    for id in 1..=PEOPLE {
        let phone = match id % 5 {
            0 => "NULL".to_owned(),
            1 => "''".to_owned(),
            _ => format!("'+44 7700 9000{id:02}'"),
        };
        // Some letters beyond ASCII, some with more bytes than signs, one a word of SQL.
        let name = match id % 4 {
            0 => format!("Łucja Ægir 北京 {id}"),
            1 => format!("O''Example; DROP TABLE people; -- {id}"),
            2 => format!("  spaced out {id}\t"),
            _ => format!("Invented Person {id}"),
        };
        let id_with_holes = i64::from(id) * i64::from(id) * 1_000_003;
        writeln!(
            sql,
            "INSERT INTO people VALUES ({id_with_holes}, '{name}', 'person{id}@example.com', {phone}, 'X');"
        )
        .unwrap();
        let shelf = ["a", "B", "ä", "aa", "Z z"][id as usize % 5];
        let payer =
            if id % 7 == 0 { "NULL".to_owned() } else { format!("'person{id}@example.com'") };
        writeln!(sql, "INSERT INTO orders VALUES ('{shelf}', {id}, {payer}, {id});").unwrap();
        let body = match id % 6 {
            0 => "NULL".to_owned(),
            1 => "''".to_owned(),
            _ => format!("'A note that nobody else has, number {id} 🦉'"),
        };
        let sign = ["n", "N", "é", "_", "-"][id as usize % 5];
        writeln!(sql, "INSERT INTO notes VALUES ('{sign}{id}', {body});").unwrap();
    }
    sql
}
