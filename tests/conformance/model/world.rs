//! The database with a run over it, and beside it what the model knows: each cell as its writer left
//! it, and where the run stands.

use std::collections::BTreeMap;
use std::fs;

use super::act::{Act, IN_ROLLBACK, IN_RUN};
use crate::support::{Answer, Db, Desk, Postgres};

/// Rows at the beginning.
const ROWS: i64 = 6;

/// The phases of a run up to where a purge could begin, in order.
const PHASES: [&str; 6] = ["planned", "approved", "backed_up", "sealed", "rewritten", "verified"];

const POLICY: &str = "[source]\nname = \"world\"\n
    [[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\nwaive = [\"low_entropy\"]\n
    [[column]]\nname = \"people.name\"\nclass = \"contact\"\ntoken = \"random\"\n
    [[purpose]]\nname = \"support_case\"\nroles = [\"support\"]\nmay = [\"detokenize\"]
    show = { contact = \"plain\" }\nmax_tokens_per_request = 1000\n";

/// What a row holds, as its writer left it: address and name.
type Row = [Option<String>; 2];

enum Source {
    Sqlite(Box<Db>),
    Postgres(Box<Postgres>),
}

/// What the model knows of the run.
struct Run {
    id: String,
    /// Its place in [`PHASES`].
    phase: usize,
    is_paused: bool,
    is_rolling_back: bool,
}

/// A copy of the vault, and what has happened since.
struct Saved {
    bytes: Vec<u8>,
    /// The source or the backup has seen a longer ledger.
    is_behind: bool,
}

/// A database, a desk, and the model.
pub(super) struct World {
    desk: Desk,
    source: Source,
    rows: BTreeMap<i64, Row>,
    next: i64,
    run: Option<Run>,
    /// The index of [`Act::Ddl`] is there, and was there when the run was planned.
    has_index: bool,
    planned_with_index: bool,
    /// The application has written since every cell was compared.
    has_written: bool,
    saved: Option<Saved>,
    /// The cells as they were when every token of them was last seen to open to what is known.
    opened: Vec<(Option<String>, Option<String>)>,
}

/// What is not as it was promised.
type Held = Result<(), String>;

macro_rules! hold {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

impl World {
    pub(super) fn sqlite() -> Self {
        let desk = Desk::new();
        let mut db = Db::open(&desk.source());
        db.exec(Self::tables("integer"));
        Self::with(desk, Source::Sqlite(Box::new(db)))
    }

    pub(super) fn postgres() -> Self {
        let db = Postgres::with(&Self::tables("bigint"));
        let desk = Desk::over(&db.url());
        Self::with(desk, Source::Postgres(Box::new(db)))
    }

    fn tables(big: &str) -> String {
        format!("CREATE TABLE people (id {big} PRIMARY KEY, email text, name text, city text);")
    }

    fn with(desk: Desk, source: Source) -> Self {
        desk.write("shop.toml", POLICY);
        let mut world = Self {
            desk,
            source,
            rows: BTreeMap::new(),
            next: 1,
            run: None,
            has_index: false,
            planned_with_index: false,
            has_written: false,
            saved: None,
            opened: Vec::new(),
        };
        for id in 1..=ROWS {
            world.insert(Some(u8::try_from(id).unwrap()), 1);
        }
        world
    }

    /// Lives a list of acts; an error says which act broke what.
    pub(super) fn lives(mut self, acts: &[Act]) -> Held {
        for (at, act) in acts.iter().enumerate() {
            self.does(act)
                .and_then(|()| self.holds())
                .map_err(|why| format!("act {at}, {act:?}: {why}"))?;
        }
        // Whatever has happened: there is a way back, and it leaves what the writers wrote.
        self.rolls_back()?;
        self.holds()
    }

    fn does(&mut self, act: &Act) -> Held {
        match act {
            Act::Plan => self.plans(),
            Act::Approve => self.approves(),
            Act::Run(until) => self.runs(until + 2),
            Act::Verify => self.verifies(),
            Act::Pause => self.pauses(true),
            Act::Resume => self.pauses(false),
            Act::Rollback => self.rolls_back(),
            Act::RunDies(place) => self.dies("run", IN_RUN[*place]),
            Act::RollbackDies(place) => self.dies("rollback", IN_ROLLBACK[*place]),
            Act::Ddl => {
                let sql = ["CREATE INDEX later ON people (city)", "DROP INDEX later"];
                self.exec(sql[usize::from(self.has_index)]);
                self.has_index = !self.has_index;
                Ok(())
            }
            Act::Insert(email, name) => {
                self.insert(*email, *name);
                Ok(())
            }
            Act::Update(row, is_email, value) => {
                let ids: Vec<i64> = self.rows.keys().copied().collect();
                let (id, column) = (ids[usize::from(*row) % ids.len()], usize::from(!is_email));
                let value = value.map(|value| text(column, value));
                let name = ["email", "name"][column];
                self.exec(&format!(
                    "UPDATE people SET {name} = {} WHERE id = {id}",
                    sql(value.as_ref())
                ));
                self.rows.get_mut(&id).unwrap()[column] = value;
                self.has_written = true;
                Ok(())
            }
            Act::Delete(row) => {
                if self.rows.len() > 2 {
                    let ids: Vec<i64> = self.rows.keys().copied().collect();
                    let id = ids[usize::from(*row) % ids.len()];
                    self.exec(&format!("DELETE FROM people WHERE id = {id}"));
                    self.rows.remove(&id);
                }
                Ok(())
            }
            Act::SaveVault => {
                let bytes = fs::read(self.desk.vault()).map_err(|error| error.to_string())?;
                self.saved = Some(Saved { bytes, is_behind: false });
                Ok(())
            }
            Act::OldVault => self.goes_on_with_an_old_vault(),
        }
    }

    fn insert(&mut self, email: Option<u8>, name: u8) {
        let row = [email.map(|value| text(0, value)), Some(text(1, name))];
        let id = self.next * 7;
        self.next += 1;
        self.exec(&format!(
            "INSERT INTO people VALUES ({id}, {}, {}, 'X')",
            sql(row[0].as_ref()),
            sql(row[1].as_ref())
        ));
        self.rows.insert(id, row);
        self.has_written = true;
    }

    fn plans(&mut self) -> Held {
        let answer = self.desk.json(&["plan", "--policy", "shop.toml"]);
        match &self.run {
            // A plan of columns that another run works on is refused; one still planned is replaced.
            Some(run) if run.phase > 0 || run.is_rolling_back => refused(&answer, 3, "column"),
            _ => {
                hold!(answer.code == 0, "it can be planned: {answer}");
                let id = answer.text("run");
                self.run = Some(Run { id, phase: 0, is_paused: false, is_rolling_back: false });
                self.planned_with_index = self.has_index;
                Ok(())
            }
        }
    }

    fn approves(&mut self) -> Held {
        let Some(run) = &mut self.run else {
            return refused(&self.desk.run_as("bob", &["approve"]), 2, "no run");
        };
        let answer = self.desk.run_as("bob", &["approve", &run.id]);
        if run.phase == 0 && !run.is_rolling_back {
            run.phase = 1;
            hold!(answer.code == 0, "it can be approved: {answer}");
            return Ok(());
        }
        refused(&answer, 3, "is in phase")
    }

    fn runs(&mut self, until: usize) -> Held {
        let is_changed = self.has_index != self.planned_with_index;
        let Some(run) = &mut self.run else {
            return refused(&self.desk.run(&["run"]), 2, "no run");
        };
        let answer = self.desk.run(&["run", &run.id, "--until", PHASES[until]]);
        if run.is_rolling_back {
            return refused(&answer, 3, "rolling_back");
        }
        if run.phase >= until {
            hold!(answer.code == 0, "it is there already: {answer}");
            return Ok(());
        }
        if run.is_paused {
            return refused(&answer, 3, "is paused");
        }
        if run.phase == 0 {
            return refused(&answer, 3, "not approved");
        }
        if is_changed {
            // Before the first pass the approval is void; later the run waits.
            if run.phase == 1 {
                run.phase = 0;
            } else {
                run.is_paused = true;
            }
            return refused(&answer, 3, "not the one that was planned for");
        }
        hold!(answer.code == 0, "it goes on: {answer}");
        run.phase = until;
        if until == 5 {
            self.has_written = false;
        }
        self.is_ahead();
        Ok(())
    }

    fn verifies(&mut self) -> Held {
        let is_changed = self.has_index != self.planned_with_index;
        let has_originals = self.originals() > 0;
        let Some(run) = &mut self.run else {
            return refused(&self.desk.run(&["verify"]), 2, "no run");
        };
        let answer = self.desk.run(&["verify", &run.id]);
        if run.phase < 4 || run.is_rolling_back {
            return refused(&answer, 3, "");
        }
        if is_changed {
            run.is_paused = true;
            return refused(&answer, 3, "not the one that was planned for");
        }
        if has_originals {
            run.phase = 4;
            return refused(&answer, 1, "");
        }
        hold!(answer.code == 0, "every cell is a token that opens: {answer}");
        run.phase = 5;
        self.has_written = false;
        Ok(())
    }

    fn pauses(&mut self, pause: bool) -> Held {
        let verb = if pause { "pause" } else { "resume" };
        let Some(run) = &mut self.run else {
            return refused(&self.desk.run(&[verb]), 2, "no run");
        };
        let answer = self.desk.run(&[verb, &run.id]);
        hold!(answer.code == 0, "an open run can be held and let go: {answer}");
        run.is_paused = pause;
        Ok(())
    }

    fn rolls_back(&mut self) -> Held {
        let Some(run) = &self.run else {
            return refused(&self.desk.run(&["rollback"]), 2, "no run");
        };
        let answer = self.desk.run(&["rollback", &run.id]);
        hold!(answer.code == 0, "there is always a way back: {answer}");
        self.run = None;
        let tokens = self.cells().iter().flatten().filter(|cell| is_token(cell)).count();
        hold!(tokens == 0, "{tokens} tokens are left after the way back");
        Ok(())
    }

    /// A command that dies at a place, if it comes there; what it had done is found out.
    fn dies(&mut self, verb: &str, place: &str) -> Held {
        let is_changed = self.has_index != self.planned_with_index;
        let Some(run) = &mut self.run else { return Ok(()) };
        if verb == "run" && (run.is_rolling_back || run.is_paused || run.phase == 0 || is_changed) {
            return self.runs(5);
        }
        let mut command = self.desk.command(&[verb, &run.id]);
        command.env("SEALIFT_DIE_AT", place);
        let answer = self.desk.finish(command, "");
        hold!([0, -1].contains(&answer.code), "it ends well or dies: {answer}");
        let status = self.desk.json(&["status", &run.id]);
        let phase = status.text("phase");
        if verb == "rollback" {
            run.is_rolling_back |= phase == "rolling_back";
            hold!(
                ["rolling_back", "rolled_back"].contains(&phase.as_str()) || answer.code == -1,
                "after a way back it is `{phase}`"
            );
            if phase == "rolled_back" {
                self.run = None;
            }
            self.is_ahead();
            return Ok(());
        }
        let Some(now) = PHASES.iter().position(|known| *known == phase) else {
            return Err(format!("it is `{phase}`"));
        };
        hold!(now >= run.phase, "it went from `{}` to `{phase}`", PHASES[run.phase]);
        hold!(answer.code != 0 || now == 5, "it ended well in `{phase}`");
        run.phase = now;
        if now == 5 {
            self.has_written = false;
        }
        self.is_ahead();
        Ok(())
    }

    /// From now on an older copy of the vault is one that knows less than the source does.
    fn is_ahead(&mut self) {
        if let Some(saved) = &mut self.saved {
            saved.is_behind = true;
        }
    }

    /// An old vault, and whoever goes on with it is refused; nothing of the source changes.
    fn goes_on_with_an_old_vault(&mut self) -> Held {
        let (Some(saved), Some(run)) = (&self.saved, &self.run) else { return Ok(()) };
        if !saved.is_behind || run.phase < 2 {
            return Ok(());
        }
        let before = self.cells();
        let (Some(saved), Some(run)) = (&self.saved, &self.run) else { return Ok(()) };
        let current = fs::read(self.desk.vault()).map_err(|error| error.to_string())?;
        let replace = |bytes: &[u8]| fs::write(self.desk.vault(), bytes).map_err(|e| e.to_string());
        replace(&saved.bytes)?;
        let answers = [
            self.desk.run(&["run", &run.id]),
            self.desk.run(&["rollback", &run.id]),
            self.desk.run(&["plan", "--policy", "shop.toml"]),
        ];
        replace(&current)?;
        for answer in answers {
            hold!([2, 3].contains(&answer.code), "an older vault is worked with: {answer}");
        }
        hold!(self.cells() == before, "an older vault changed the source");
        Ok(())
    }

    /// What always holds: every value is in its cell, or opens from the token that is there; and the
    /// run stands where the model has it.
    fn holds(&mut self) -> Held {
        let cells = self.cells();
        hold!(
            cells.len() == 2 * self.rows.len(),
            "{} cells of {} rows",
            cells.len(),
            self.rows.len()
        );
        let (mut tokens, mut originals) = (Vec::new(), 0);
        let written = self.rows.iter().flat_map(|(id, row)| row.iter().map(move |cell| (id, cell)));
        for (cell, (id, value)) in cells.iter().zip(written) {
            match (cell, value) {
                (None, None) => {}
                (Some(cell), Some(value)) if cell == value => originals += 1,
                (Some(cell), Some(value)) if is_token(cell) => tokens.push((*id, cell, value)),
                (cell, _) => return Err(format!("row {id} holds {cell:?} for {value:?}")),
            }
        }
        let known: Vec<(Option<String>, Option<String>)> =
            cells.iter().cloned().zip(self.rows.values().flatten().cloned()).collect();
        if known != self.opened {
            self.opens(&tokens)?;
            self.opened = known;
        }
        let phase = match &self.run {
            None => {
                hold!(tokens.is_empty(), "tokens without a run");
                return Ok(());
            }
            Some(run) => run.phase,
        };
        let is_back = self.run.as_ref().is_some_and(|run| run.is_rolling_back);
        hold!(phase >= 3 || tokens.is_empty(), "tokens in phase `{}`", PHASES[phase]);
        hold!(
            phase != 5 || self.has_written || is_back || originals == 0,
            "{originals} originals are left, and it is verified"
        );
        self.stands()
    }

    fn stands(&self) -> Held {
        let Some(run) = &self.run else { return Ok(()) };
        let status = self.desk.json(&["status", &run.id]);
        let phase = status.text("phase");
        let expected = if run.is_rolling_back { "rolling_back" } else { PHASES[run.phase] };
        // A rollback that died before its first entry has not begun.
        hold!(phase == expected, "it is `{phase}`, and should be `{expected}`");
        let counts = &status.last()["counts"];
        if let Some(cells) = counts["cells"].as_u64().filter(|_| phase == "rewritten") {
            let parts = ["tokenized", "null", "empty", "already_token", "quarantined", "vanished"];
            let sum: u64 = parts.iter().filter_map(|part| counts[*part].as_u64()).sum();
            hold!(sum == cells, "the cells do not add up: {counts}");
        }
        Ok(())
    }

    fn opens(&self, tokens: &[(i64, &String, &String)]) -> Held {
        if tokens.is_empty() {
            return Ok(());
        }
        let typed = [
            "--format",
            "json",
            "detokenize",
            "--purpose",
            "support_case",
            "--reason",
            "the model",
        ];
        let input: Vec<&str> = tokens.iter().map(|(_, token, _)| token.as_str()).collect();
        let answer = self.desk.tell_as("carol", &typed, &input.join("\n"));
        hold!(answer.code == 0, "tokens open: {answer}");
        for ((id, token, value), object) in tokens.iter().zip(answer.objects()) {
            hold!(
                object["value"].as_str() == Some(value.as_str()),
                "row {id}: {token} does not open to {value}"
            );
        }
        Ok(())
    }

    /// Cells that are neither NULL nor a token.
    fn originals(&mut self) -> usize {
        self.cells().iter().flatten().filter(|cell| !is_token(cell)).count()
    }

    /// Every cell in scope, row by row.
    fn cells(&mut self) -> Vec<Option<String>> {
        let sql = "SELECT CASE WHEN email IS NULL THEN '-' ELSE '+' || email END,
                CASE WHEN name IS NULL THEN '-' ELSE '+' || name END FROM people ORDER BY id";
        let rows = match &mut self.source {
            Source::Sqlite(db) => db.rows(sql),
            Source::Postgres(db) => db.rows(sql),
        };
        rows.into_iter().flatten().map(|cell| cell.strip_prefix('+').map(str::to_owned)).collect()
    }

    fn exec(&mut self, sql: &str) {
        match &mut self.source {
            Source::Sqlite(db) => db.exec(sql),
            Source::Postgres(db) => db.exec(sql),
        }
    }
}

/// Values of the two columns never meet, and none looks like a token.
fn text(column: usize, value: u8) -> String {
    match column {
        0 => format!("person{value}@example.com"),
        _ => format!("Invented Person {value}"),
    }
}

fn sql(value: Option<&String>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| format!("'{value}'"))
}

fn is_token(cell: &str) -> bool {
    cell.starts_with("slk") || cell.starts_with("slr")
}

/// Refused, with this code and these words.
fn refused(answer: &Answer, code: i32, words: &str) -> Held {
    hold!(answer.code == code, "it ends with {code}: {answer}");
    hold!(answer.stderr.contains(words), "it says `{words}`: {answer}");
    hold!(answer.stderr.contains("hint:"), "it says what to do: {answer}");
    Ok(())
}
