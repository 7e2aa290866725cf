//! Writing invented people into SQLite, many rows a statement.

use sqlx::AssertSqlSafe;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use tokio::sync::mpsc::{Receiver, channel};

use super::people::{Card, Customer, HistoryEntry, Note, Order, Person, person};
use super::{Counts, Shape, SynthError};

/// How many rows one statement writes. All but the last of a table write this many, so that one
/// prepared statement serves; the widest has 3,000 parameters, and SQLite allows 32,766.
const ROWS: usize = 250;

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A table and how a row of it is written. Rows belong to a customer.
struct Target<T: 'static> {
    table: &'static str,
    // language=SQLite
    insert: &'static str,
    columns: usize,
    bind: for<'q> fn(Statement<'q>, i64, &T) -> Statement<'q>,
}

const CUSTOMERS: Target<Customer> = Target {
    table: "customers",
    insert: "INSERT INTO customers (id, name, email, phone, address, city, country, birth_date, \
             company, iban, preferences, note)",
    columns: 12,
    bind: |statement, id, row| {
        let statement = statement.bind(id).bind(row.name.clone()).bind(row.email.clone());
        let statement = statement.bind(row.phone.clone()).bind(row.address.clone());
        let statement = statement.bind(row.city.clone()).bind(row.country);
        let statement = statement.bind(row.birth_date.clone()).bind(row.company.clone());
        let statement = statement.bind(row.iban.clone()).bind(row.preferences.clone());
        statement.bind(row.note.clone())
    },
};

const ORDERS: Target<Order> = Target {
    table: "orders",
    insert: "INSERT INTO orders (customer_id, customer_email, placed_on, amount_cents)",
    columns: 4,
    bind: |statement, id, row| {
        let statement = statement.bind(id).bind(row.customer_email.clone());
        statement.bind(row.placed_on.clone()).bind(row.amount_cents)
    },
};

const CARDS: Target<Card> = Target {
    table: "cards",
    insert: "INSERT INTO cards (customer_id, pan, holder, expires)",
    columns: 4,
    bind: |statement, id, row| {
        let statement = statement.bind(id).bind(row.pan.clone());
        statement.bind(row.holder.clone()).bind(row.expires.clone())
    },
};

const NOTES: Target<Note> = Target {
    table: "notes",
    insert: "INSERT INTO notes (customer_id, written_on, body)",
    columns: 3,
    bind: |statement, id, row| {
        statement.bind(id).bind(row.written_on.clone()).bind(row.body.clone())
    },
};

const HISTORY: Target<HistoryEntry> = Target {
    table: "customers_history",
    insert: "INSERT INTO customers_history (customer_id, changed_on, name, email, phone)",
    columns: 5,
    bind: |statement, id, row| {
        let statement = statement.bind(id).bind(row.changed_on.clone()).bind(row.name.clone());
        statement.bind(row.email.clone()).bind(row.phone.clone())
    },
};

/// Rows that wait until a statement is full.
struct Waiting<T: 'static> {
    target: Target<T>,
    rows: Vec<(i64, T)>,
    written: u64,
}

impl<T> Waiting<T> {
    fn new(target: Target<T>) -> Self {
        Self { target, rows: Vec::with_capacity(ROWS), written: 0 }
    }

    /// Writes full statements and keeps the rest.
    async fn write_full(&mut self, connection: &mut SqliteConnection) -> Result<(), SynthError> {
        let rest = self.rows.len() % ROWS;
        let rest = self.rows.split_off(self.rows.len() - rest);
        self.write_all(connection).await?;
        self.rows = rest;
        Ok(())
    }

    /// Writes what waits.
    async fn write_all(&mut self, connection: &mut SqliteConnection) -> Result<(), SynthError> {
        let Target { table, insert, columns, bind } = self.target;
        let failed = |source| SynthError { table, source };
        let row = format!("(?{})", ", ?".repeat(columns - 1));
        for rows in std::mem::take(&mut self.rows).chunks(ROWS) {
            let sql = format!("{insert} VALUES {}", vec![row.as_str(); rows.len()].join(", "));
            // Made of constants and question marks.
            let mut statement = sqlx::query(AssertSqlSafe(sql));
            for (customer, row) in rows {
                statement = bind(statement, *customer, row);
            }
            self.written +=
                statement.execute(&mut *connection).await.map_err(failed)?.rows_affected();
        }
        Ok(())
    }
}

/// How many people are invented ahead of the writing, in how many pieces at most.
const PIECE: i64 = 2_000;
const PIECES_MAX: usize = 4;

/// Writes all rows, a customer before what points at it.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    shape: Shape,
) -> Result<Counts, SynthError> {
    let mut customers = Waiting::new(CUSTOMERS);
    let mut orders = Waiting::new(ORDERS);
    let mut cards = Waiting::new(CARDS);
    let mut notes = Waiting::new(NOTES);
    let mut history = Waiting::new(HISTORY);

    let mut pieces = invented(shape);
    while let Some(people) = pieces.recv().await {
        for person in people {
            let id = person.customer.id;
            customers.rows.push((id, person.customer));
            orders.rows.extend(person.orders.into_iter().map(|order| (id, order)));
            cards.rows.extend(person.cards.into_iter().map(|card| (id, card)));
            notes.rows.extend(person.note.map(|note| (id, note)));
            history.rows.extend(person.history.map(|entry| (id, entry)));
        }
        // ORDER: what points at customers waits until they are there.
        customers.write_all(connection).await?;
        orders.write_full(connection).await?;
        cards.write_full(connection).await?;
        notes.write_full(connection).await?;
        history.write_full(connection).await?;
    }
    orders.write_all(connection).await?;
    cards.write_all(connection).await?;
    notes.write_all(connection).await?;
    history.write_all(connection).await?;

    Ok(Counts {
        customers: customers.written,
        orders: orders.written,
        cards: cards.written,
        notes: notes.written,
        history: history.written,
    })
}

/// Invents people in order, on a thread of its own: beside the writing, never far ahead of it.
fn invented(shape: Shape) -> Receiver<Vec<Person>> {
    let (send, receive) = channel(PIECES_MAX);
    let last = i64::try_from(shape.customers).unwrap_or(i64::MAX);
    tokio::task::spawn_blocking(move || {
        for first in (1..=last).step_by(usize::try_from(PIECE).unwrap_or(1)) {
            let people = (first..=last.min(first + PIECE - 1)).map(|id| person(shape.seed, id));
            // Whoever writes has given up: nobody needs the rest.
            if send.blocking_send(people.collect()).is_err() {
                return;
            }
        }
    });
    receive
}
