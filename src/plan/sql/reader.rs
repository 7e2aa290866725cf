//! The way in: a catalog that texts are read against.

use std::cell::RefCell;
use std::collections::HashMap;

use sqlparser::ast::Statement;

use super::query::Walker;
use super::relation::{Meaning, Other, Output, Relation, Scope};
use super::{ColumnAt, Reading, lexical, parse, plpgsql};
use crate::catalog::sqlite_trigger::TriggerText;
use crate::catalog::{Catalog, Table, TableKind, Trigger, View};
use crate::plan::full_text;
use crate::plan::query_text::{Language, QueryText};

/// Reads texts against a catalog.
pub(in crate::plan) struct Reader<'c> {
    pub(super) catalog: &'c Catalog,
    tables: HashMap<String, Vec<usize>>,
    views: HashMap<String, usize>,
    /// What the columns of views stand for, once they were asked for.
    read: RefCell<HashMap<usize, Vec<Output>>>,
}

impl<'c> Reader<'c> {
    /// Prepares to read against a catalog.
    pub(in crate::plan) fn new(catalog: &'c Catalog) -> Self {
        let mut tables: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, table) in catalog.tables.iter().enumerate() {
            tables.entry(fold(&table.name.name)).or_default().push(at);
        }
        let views = catalog.views.iter().enumerate();
        let views = views.map(|(at, view)| (fold(&view.name.name), at)).collect();
        Self { catalog, tables, views, read: RefCell::default() }
    }

    /// Reads statements of an application.
    pub(in crate::plan) fn statements(&self, sql: &str) -> Reading {
        match parse::statements(self.catalog.engine, sql) {
            Some(statements) => self.walked(&statements, Scope::default()),
            None => {
                Reading { named: lexical::named(self.catalog, sql, None), ..Reading::default() }
            }
        }
    }

    /// Reads a query, or the body of a function: each of its statements on its own, so that one that
    /// is not understood does not hide the others.
    pub(in crate::plan) fn query(&self, query: &QueryText) -> Reading {
        let rows = query.rows_of.as_ref();
        let table = rows.and_then(|rows| self.table(&rows.name, rows.schema.as_deref()));
        let columns = table.map(|at| self.columns_of_table(at)).unwrap_or_default();
        let body = match query.language {
            Language::Sql => None,
            Language::PlPgSql => Some(plpgsql::read(&query.sql)),
        };
        let variables = body.iter().flat_map(|body| &body.variables);
        let given = |name: &String| Output {
            name: name.clone(),
            meaning: Meaning::other(Other::Parameter),
        };
        let scope = Scope {
            relations: ["OLD", "NEW"].map(|row| Relation::row(row, columns.clone())).into(),
            results: query.parameters.iter().chain(variables).map(given).collect(),
        };
        let Some(body) = &body else { return self.within(&query.sql, table, &scope) };
        let mut reading = Reading::default();
        for statement in &body.statements {
            reading.join(self.within(statement, table, &scope));
        }
        reading
    }

    /// Reads statements where some names are known; `table` is one that fragments speak of.
    fn within(&self, sql: &str, table: Option<usize>, scope: &Scope) -> Reading {
        match parse::statements(self.catalog.engine, sql) {
            Some(statements) => self.walked(&statements, scope.clone()),
            None => {
                Reading { named: lexical::named(self.catalog, sql, table), ..Reading::default() }
            }
        }
    }

    /// Reads a view. What a view below it does is not counted again.
    pub(in crate::plan) fn view(&self, view: &View) -> Reading {
        self.statements(&view.sql)
    }

    /// Reads the condition and the statements of a trigger, each on its own, so that one that is not
    /// understood does not hide the others.
    pub(in crate::plan) fn trigger(&self, trigger: &Trigger) -> Reading {
        let engine = self.catalog.engine;
        let table = self.table(&trigger.table.name, trigger.table.schema.as_deref());
        let named =
            |sql| Reading { named: lexical::named(self.catalog, sql, table), ..Reading::default() };
        let Some(text) = TriggerText::parse(&trigger.sql) else { return named(&trigger.sql) };
        let columns = self.columns(&trigger.table.name, trigger.table.schema.as_deref());
        let columns = columns.unwrap_or_default();
        let scope = Scope {
            relations: ["OLD", "NEW"].map(|row| Relation::row(row, columns.clone())).into(),
            results: Vec::new(),
        };
        let mut reading = Reading::default();
        let written = |lexemes: &[crate::catalog::sqlite_text::Lexeme]| {
            let (first, last) = (lexemes.first()?, lexemes.last()?);
            trigger.sql.get(first.span.start..last.span.end)
        };
        if let Some(sql) = written(&text.condition) {
            reading.join(match parse::expression(engine, sql) {
                Some(condition) => {
                    let mut walker = Walker::new(self, scope.clone());
                    walker.expression(&condition);
                    walker.reading()
                }
                None => named(sql),
            });
        }
        for statement in &text.statements {
            let Some(sql) = written(&statement.lexemes) else { continue };
            reading.join(match parse::statements(engine, sql) {
                Some(statements) => self.walked(&statements, scope.clone()),
                None => named(sql),
            });
        }
        reading
    }

    fn walked(&self, statements: &[Statement], scope: Scope) -> Reading {
        let mut walker = Walker::new(self, scope);
        for statement in statements {
            walker.statement(statement);
        }
        walker.reading()
    }

    /// Finds a table; `main` and `temp` are no schemas of a catalog without schemas.
    pub(super) fn table(&self, name: &str, schema: Option<&str>) -> Option<usize> {
        let found = self.tables.get(&fold(name))?;
        let is_in = |at: &&usize| match (&self.catalog.tables[**at].name.schema, schema) {
            (Some(known), Some(wanted)) => known.eq_ignore_ascii_case(wanted),
            _ => true,
        };
        found.iter().find(is_in).copied()
    }

    /// The columns of a table or a view; `None` where there is neither.
    pub(super) fn columns(&self, name: &str, schema: Option<&str>) -> Option<Vec<Output>> {
        match self.table(name, schema) {
            Some(at) => Some(self.columns_of_table(at)),
            None => self.views.get(&fold(name)).map(|&at| self.columns_of_view(at)),
        }
    }

    fn columns_of_table(&self, at: usize) -> Vec<Output> {
        let table = &self.catalog.tables[at];
        let content = self.content_of(table);
        let outputs = table.columns.iter().enumerate().map(|(column, known)| {
            let own = Meaning::column(ColumnAt { table: at, column });
            // A full-text table that keeps no text shows that of the table it indexes.
            let shown = content.as_ref().and_then(|content| content.column(&known.name));
            let meaning = shown.map_or(own, |shown| shown.meaning.clone());
            Output { name: known.name.clone(), meaning }
        });
        let mut outputs: Vec<Output> = outputs.collect();
        if matches!(table.kind, TableKind::Virtual(_)) {
            // `docs MATCH ?`: the table's name stands for all its columns.
            let all = Meaning::any(outputs.iter().map(|output| output.meaning.clone()));
            outputs.retain(|output| !output.name.eq_ignore_ascii_case(&table.name.name));
            outputs.push(Output { name: table.name.name.clone(), meaning: all });
        }
        outputs
    }

    fn content_of(&self, table: &Table) -> Option<Relation> {
        let content = full_text::content_of(table)?;
        let is_itself = content.eq_ignore_ascii_case(&table.name.name);
        let columns = if is_itself { None } else { self.columns(&content, None) };
        Some(Relation::new(content, columns?))
    }

    fn columns_of_view(&self, at: usize) -> Vec<Output> {
        if let Some(known) = self.read.borrow().get(&at) {
            return known.clone();
        }
        // A view that reads itself cannot exist; a text that says so must not hold us up.
        self.read.borrow_mut().insert(at, Vec::new());
        let columns = self.read_view(&self.catalog.views[at].sql);
        self.read.borrow_mut().insert(at, columns.clone());
        columns
    }

    fn read_view(&self, sql: &str) -> Vec<Output> {
        let Some(statements) = parse::statements(self.catalog.engine, sql) else {
            // Its columns are at least those that it names.
            return lexical::named(self.catalog, sql, None)
                .into_iter()
                .map(|at| Output {
                    name: self.catalog.tables[at.table].columns[at.column].name.clone(),
                    meaning: Meaning::column(at),
                })
                .collect();
        };
        let mut walker = Walker::new(self, Scope::default());
        statements.iter().map(|statement| walker.statement(statement)).last().unwrap_or_default()
    }
}

/// A name as it is looked up: engines fold ASCII letters.
pub(super) fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}
