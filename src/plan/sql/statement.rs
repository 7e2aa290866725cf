//! Statements: what is read, and what is written where.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, CreateView, Delete, FromTable, Insert, Merge,
    MergeAction, OnConflictAction, OnInsert, SelectItem, Statement, TableFactor, TableObject,
    TableWithJoins, Update, UpdateTableFromKind,
};

use super::How;
use super::name::{idents, parts};
use super::query::Walker;
use super::relation::{Meaning, Output, Relation, Scope};

impl Walker<'_, '_> {
    /// Walks over a statement and says what comes out of it.
    pub(super) fn statement(&mut self, statement: &Statement) -> Vec<Output> {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::CreateView(view) => self.create_view(view),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => self.merge(merge),
            Statement::CreateTable(table) => {
                table.query.as_ref().map(|query| self.query(query)).unwrap_or_default()
            }
            Statement::Explain { statement, .. } => self.statement(statement),
            // Settings, transactions, definitions: nothing that uses a value.
            _ => Vec::new(),
        }
    }

    fn create_view(&mut self, view: &CreateView) -> Vec<Output> {
        let mut outputs = self.query(&view.query);
        for (output, column) in outputs.iter_mut().zip(&view.columns) {
            output.name.clone_from(&column.name.value);
        }
        outputs
    }

    fn insert(&mut self, insert: &Insert) -> Vec<Output> {
        let (table, schema) = match &insert.table {
            TableObject::TableName(name) => parts(name),
            TableObject::TableFunction(_) | TableObject::TableQuery(_) => return Vec::new(),
        };
        let columns = self.reader.columns(&table, schema.as_deref()).unwrap_or_default();
        let alias = insert.table_alias.as_ref().map_or(&table, |alias| &alias.alias.value);
        let target = Relation::new(alias.clone(), columns.clone());
        let given: Vec<Meaning> = insert
            .source
            .as_ref()
            .map(|source| self.query(source))
            .unwrap_or_default()
            .into_iter()
            .map(|output| output.meaning)
            .collect();
        let named: Vec<String> = insert.columns.iter().map(|name| parts(name).0).collect();
        for (at, given) in given.iter().enumerate() {
            let column = match named.get(at) {
                Some(name) => target.column(name),
                None if named.is_empty() => columns.get(at),
                None => None,
            };
            if let Some(column) = column {
                self.write(&column.meaning, given);
            }
        }
        self.scopes.push(Scope { relations: vec![target], results: Vec::new() });
        self.assignments(&insert.assignments);
        match &insert.on {
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => self.assignments(assignments),
            Some(OnInsert::OnConflict(conflict)) => {
                if let Some(ConflictTarget::Columns(keys)) = &conflict.conflict_target {
                    for key in keys {
                        let meaning = self.bare(key);
                        self.note(&meaning, &How::Groups("ON CONFLICT"));
                    }
                }
                if let OnConflictAction::DoUpdate(update) = &conflict.action {
                    self.innermost().relations.push(Relation::row("excluded", columns));
                    self.assignments(&update.assignments);
                    if let Some(condition) = &update.selection {
                        self.expression(condition);
                    }
                }
            }
            Some(_) | None => {}
        }
        self.returned(insert.returning.as_deref())
    }

    fn update(&mut self, update: &Update) -> Vec<Output> {
        self.scopes.push(Scope::default());
        self.table_with_joins(&update.table);
        if let Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) =
            &update.from
        {
            for table in from {
                self.table_with_joins(table);
            }
        }
        self.assignments(&update.assignments);
        if let Some(condition) = &update.selection {
            self.expression(condition);
        }
        for key in &update.order_by {
            self.sort_key(key);
        }
        self.returned(update.returning.as_deref())
    }

    fn delete(&mut self, delete: &Delete) -> Vec<Output> {
        self.scopes.push(Scope::default());
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let using: &[TableWithJoins] = delete.using.as_deref().unwrap_or_default();
        for table in from.iter().chain(using) {
            self.table_with_joins(table);
        }
        if let Some(condition) = &delete.selection {
            self.expression(condition);
        }
        for key in &delete.order_by {
            self.sort_key(key);
        }
        self.returned(delete.returning.as_deref())
    }

    fn merge(&mut self, merge: &Merge) -> Vec<Output> {
        self.scopes.push(Scope::default());
        for factor in [&merge.table, &merge.source] {
            let table: &TableFactor = factor;
            self.table_with_joins(&TableWithJoins { relation: table.clone(), joins: Vec::new() });
        }
        self.expression(&merge.on);
        for clause in &merge.clauses {
            if let Some(condition) = &clause.predicate {
                self.expression(condition);
            }
            if let MergeAction::Update(update) = &clause.action
                && let sqlparser::ast::MergeUpdateKind::Set(assignments) = &update.kind
            {
                self.assignments(assignments);
            }
        }
        self.scopes.pop();
        Vec::new()
    }

    /// Leaves the scope of a statement that writes, after what it gives back.
    fn returned(&mut self, items: Option<&[SelectItem]>) -> Vec<Output> {
        let outputs = items.map(|items| self.outputs(items)).unwrap_or_default();
        self.scopes.pop();
        outputs
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        for assignment in assignments {
            let given = self.expression(&assignment.value);
            match &assignment.target {
                AssignmentTarget::ColumnName(name) => {
                    let target = self.qualified(&idents(name));
                    self.write(&target, &given);
                }
                AssignmentTarget::Tuple(names) => {
                    for (at, name) in names.iter().enumerate() {
                        let target = self.qualified(&idents(name));
                        let given = given.parts.get(at).cloned().unwrap_or_default();
                        self.write(&target, &given);
                    }
                }
            }
        }
    }

    /// Notes where the values of a column come from; a column written from itself stays as it is.
    fn write(&mut self, target: &Meaning, given: &Meaning) {
        for &column in &target.columns {
            for with in given.sources() {
                if with != super::With::Column(column) {
                    self.note(&Meaning::column(column), &How::Writes(with));
                }
            }
        }
    }
}
