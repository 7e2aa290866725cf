//! What a SQLite trigger does, as far as its text tells: when it fires, what it reads and writes.
//!
//! It is read for the plan, which asks only whether a trigger would fire for the rewrite of a
//! column and whether it would carry the original elsewhere.

use super::sqlite_text::{Lexeme, lexemes};

/// What is known of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerText {
    /// When it fires.
    pub timing: Timing,
    /// On what it fires.
    pub event: TriggerEvent,
    /// The lexemes of its `WHEN`.
    pub condition: Vec<Lexeme>,
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// When a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Before the row is written; also where the text does not say.
    Before,
    /// After it.
    After,
    /// In its place (views).
    InsteadOf,
}

/// On what a trigger fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerEvent {
    /// `DELETE`.
    Delete,
    /// `INSERT`.
    Insert,
    /// `UPDATE`, or `UPDATE OF` these columns.
    Update(Option<Vec<String>>),
}

/// One statement of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it does.
    pub verb: Verb,
    /// The table that it writes to.
    pub target: Option<String>,
    /// Its lexemes.
    pub lexemes: Vec<Lexeme>,
}

/// What a statement of a trigger does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `INSERT` or `REPLACE`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `SELECT`, also for `RAISE`.
    Select,
}

impl TriggerText {
    /// Reads `CREATE TRIGGER`; `None` where the text is not one.
    #[must_use]
    pub fn parse(sql: &str) -> Option<Self> {
        let lexemes = lexemes(sql);
        let mut at = lexemes.iter().position(|lexeme| lexeme.is_keyword("TRIGGER"))? + 1;
        if lexemes.get(at)?.is_keyword("IF") {
            at += 3;
        }
        at += 1;
        if lexemes.get(at)?.is_sign(".") {
            at += 2;
        }
        let timing = match lexemes.get(at)? {
            word if word.is_keyword("AFTER") => Timing::After,
            word if word.is_keyword("INSTEAD") => Timing::InsteadOf,
            _ => Timing::Before,
        };
        let event_at = at + lexemes[at..].iter().position(|lexeme| event_of(lexeme).is_some())?;
        let mut event = event_of(&lexemes[event_at])?;
        let on = event_at + lexemes[event_at..].iter().position(|word| word.is_keyword("ON"))?;
        if matches!(event, TriggerEvent::Update(_)) && lexemes[event_at + 1].is_keyword("OF") {
            let columns = &lexemes[event_at + 2..on];
            event = TriggerEvent::Update(Some(
                columns.iter().filter(|c| !c.is_sign(",")).map(|c| c.text.clone()).collect(),
            ));
        }
        let begin = on + lexemes[on..].iter().position(|word| word.is_keyword("BEGIN"))?;
        let when = lexemes[on..begin].iter().position(|word| word.is_keyword("WHEN"));
        let condition = when.map_or_else(Vec::new, |when| lexemes[on + when + 1..begin].to_vec());
        let end = lexemes.iter().rposition(|word| word.is_keyword("END"))?.max(begin + 1);
        let statements = lexemes[begin + 1..end]
            .split(|lexeme| lexeme.is_sign(";"))
            .filter(|statement| !statement.is_empty())
            .map(Statement::read)
            .collect();
        Some(Self { timing, event, condition, statements })
    }

    /// Whether an `UPDATE` that sets these columns fires it.
    #[must_use]
    pub fn fires_on_update_of<'a>(&self, mut columns: impl Iterator<Item = &'a str>) -> bool {
        match (&self.timing, &self.event) {
            (Timing::InsteadOf, _) | (_, TriggerEvent::Delete | TriggerEvent::Insert) => false,
            (_, TriggerEvent::Update(None)) => true,
            (_, TriggerEvent::Update(Some(of))) => {
                columns.any(|column| of.iter().any(|name| name.eq_ignore_ascii_case(column)))
            }
        }
    }

    /// Whether it can refuse a row or leave it out silently.
    #[must_use]
    pub fn raises(&self) -> bool {
        self.statements.iter().any(|statement| {
            statement
                .lexemes
                .windows(2)
                .any(|pair| pair[0].is_keyword("RAISE") && pair[1].is_sign("("))
        })
    }

    /// The statements that write a column of the old row somewhere.
    ///
    /// A mere comparison with it (`WHERE x = OLD.email`) writes nothing of it. A `BEFORE` trigger
    /// may also read the old row by a query of its own.
    pub fn copies<'a>(
        &'a self,
        table: &'a str,
        column: &'a str,
    ) -> impl Iterator<Item = &'a Statement> {
        let is_before = self.timing == Timing::Before;
        self.statements.iter().filter(move |statement| {
            let written = statement.written();
            let queried = is_before && queries(written, table) && asks_for(written, column);
            matches!(statement.verb, Verb::Insert | Verb::Update)
                && (reads(written, "OLD", column) || queried)
        })
    }

    /// Whether it speaks of a column of the new row anywhere.
    #[must_use]
    pub fn reads_new(&self, column: &str) -> bool {
        reads(&self.condition, "NEW", column)
            || self.statements.iter().any(|statement| reads(&statement.lexemes, "NEW", column))
    }

    /// Whether it writes to this table.
    #[must_use]
    pub fn writes_to(&self, table: &str) -> bool {
        self.statements.iter().any(|statement| statement.writes_to(table))
    }
}

impl Statement {
    fn read(lexemes: &[Lexeme]) -> Self {
        let verb_at = lexemes.iter().position(|word| verb_of(word).is_some()).unwrap_or(0);
        let verb = lexemes.get(verb_at).and_then(verb_of).unwrap_or(Verb::Select);
        let after = |keyword: &str| {
            let place = lexemes[verb_at..].iter().position(|word| word.is_keyword(keyword))?;
            lexemes.get(verb_at + place + 1)
        };
        let target = match verb {
            Verb::Insert => after("INTO"),
            Verb::Delete => after("FROM"),
            Verb::Update => {
                let or = lexemes.get(verb_at + 1).is_some_and(|word| word.is_keyword("OR"));
                lexemes.get(verb_at + if or { 3 } else { 1 })
            }
            Verb::Select => None,
        };
        Self { verb, target: target.map(|name| name.text.clone()), lexemes: lexemes.to_vec() }
    }

    /// Whether it writes to this table.
    #[must_use]
    pub fn writes_to(&self, table: &str) -> bool {
        self.target.as_ref().is_some_and(|target| target.eq_ignore_ascii_case(table))
    }

    /// Whether it reads this column of the new row.
    #[must_use]
    pub fn reads_new(&self, column: &str) -> bool {
        reads(&self.lexemes, "NEW", column)
    }

    /// The part that says what is written: of an `UPDATE`, what stands before its `WHERE`.
    fn written(&self) -> &[Lexeme] {
        if self.verb != Verb::Update {
            return &self.lexemes;
        }
        let mut depth = 0_usize;
        for (place, lexeme) in self.lexemes.iter().enumerate() {
            if lexeme.is_sign("(") {
                depth += 1;
            } else if lexeme.is_sign(")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && lexeme.is_keyword("WHERE") {
                return &self.lexemes[..place];
            }
        }
        &self.lexemes
    }
}

fn event_of(lexeme: &Lexeme) -> Option<TriggerEvent> {
    if lexeme.is_keyword("DELETE") {
        Some(TriggerEvent::Delete)
    } else if lexeme.is_keyword("INSERT") {
        Some(TriggerEvent::Insert)
    } else if lexeme.is_keyword("UPDATE") {
        Some(TriggerEvent::Update(None))
    } else {
        None
    }
}

fn verb_of(lexeme: &Lexeme) -> Option<Verb> {
    [
        ("INSERT", Verb::Insert),
        ("REPLACE", Verb::Insert),
        ("UPDATE", Verb::Update),
        ("DELETE", Verb::Delete),
        ("SELECT", Verb::Select),
    ]
    .into_iter()
    .find(|(keyword, _)| lexeme.is_keyword(keyword))
    .map(|(_, verb)| verb)
}

fn reads(lexemes: &[Lexeme], row: &str, column: &str) -> bool {
    lexemes
        .windows(3)
        .any(|three| three[0].is_name(row) && three[1].is_sign(".") && three[2].is_name(column))
}

/// Whether a query reads from a table.
fn queries(lexemes: &[Lexeme], table: &str) -> bool {
    lexemes.windows(2).any(|pair| {
        ["FROM", "JOIN", ","].iter().any(|word| pair[0].is_keyword(word) || pair[0].is_sign(word))
            && pair[1].is_name(table)
    })
}

/// Whether a column is named, other than as one of the new row.
fn asks_for(lexemes: &[Lexeme], column: &str) -> bool {
    lexemes.iter().enumerate().any(|(place, lexeme)| {
        let is_new =
            place >= 2 && lexemes[place - 1].is_sign(".") && lexemes[place - 2].is_name("NEW");
        lexeme.is_name(column) && !is_new
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> TriggerText {
        TriggerText::parse(sql).expect("a trigger")
    }

    #[test]
    fn an_audit_trigger_copies_what_it_inserts() {
        let trigger = read(
            "CREATE TRIGGER IF NOT EXISTS main.audit AFTER UPDATE OF \"email\", phone ON customers
             FOR EACH ROW WHEN OLD.email IS NOT NEW.email
             BEGIN INSERT INTO log(was) VALUES (old.EMAIL); SELECT 1; END",
        );
        assert!(trigger.fires_on_update_of(["email"].into_iter()));
        assert!(!trigger.fires_on_update_of(["name"].into_iter()));
        assert_eq!(trigger.copies("customers", "email").count(), 1);
        assert_eq!(trigger.copies("customers", "phone").count(), 0);
        assert!(trigger.writes_to("LOG"));
    }

    #[test]
    fn a_comparison_copies_nothing() {
        let trigger = read(
            "CREATE TRIGGER t UPDATE ON c BEGIN
               UPDATE stats SET n = n + 1 WHERE email = OLD.email;
               DELETE FROM cache WHERE email = OLD.email; END",
        );
        assert_eq!(trigger.copies("c", "email").count(), 0);
        let trigger =
            read("CREATE TRIGGER t UPDATE ON c BEGIN UPDATE OR IGNORE s SET x = OLD.email; END");
        assert_eq!(trigger.copies("c", "email").count(), 1);
        assert!(trigger.writes_to("s"));
    }

    #[test]
    fn a_before_trigger_may_query_the_old_row() {
        let body = "INSERT INTO log SELECT email FROM c WHERE id = NEW.id; END";
        let before = read(&format!("CREATE TRIGGER t BEFORE UPDATE ON c BEGIN {body}"));
        let after = read(&format!("CREATE TRIGGER t AFTER UPDATE ON c BEGIN {body}"));
        assert_eq!(before.copies("c", "email").count(), 1);
        assert_eq!(after.copies("c", "email").count(), 0);
        let fold = "UPDATE c SET email = lower(NEW.email) WHERE id = NEW.id; END";
        let fold = read(&format!("CREATE TRIGGER t BEFORE UPDATE ON c BEGIN {fold}"));
        assert_eq!(fold.copies("c", "email").count(), 0);
    }

    #[test]
    fn case_inside_a_statement_does_not_end_the_trigger() {
        let trigger = read(
            "CREATE TRIGGER t AFTER UPDATE ON c BEGIN
               SELECT CASE WHEN NEW.a = '' THEN RAISE(ABORT, 'no') END; END",
        );
        assert!(trigger.raises());
        assert_eq!(trigger.statements.len(), 1);
    }
}
