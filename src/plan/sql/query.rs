//! Queries: what stands in `FROM`, how it is joined, what comes out, in which order.

use sqlparser::ast::{
    Cte, Distinct, Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Join, JoinConstraint,
    JoinOperator, NamedWindowExpr, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableAlias, TableFactor,
    TableWithJoins, Value, WindowSpec,
};

use super::name::parts;
use super::reader::Reader;
use super::relation::{Meaning, Output, Relation, Scope};
use super::{How, Reading, Use, With};

/// Walks over a syntax tree and notes what is done with columns.
pub(super) struct Walker<'r, 'c> {
    pub(super) reader: &'r Reader<'c>,
    /// From the outermost level to the innermost.
    pub(super) scopes: Vec<Scope>,
    /// Common table expressions, the nearest last.
    ctes: Vec<(String, Vec<Output>)>,
    uses: Vec<Use>,
}

impl<'r, 'c> Walker<'r, 'c> {
    pub(super) fn new(reader: &'r Reader<'c>, outermost: Scope) -> Self {
        Self { reader, scopes: vec![outermost], ctes: Vec::new(), uses: Vec::new() }
    }

    /// What was noted.
    pub(super) fn reading(self) -> Reading {
        Reading { uses: self.uses, named: Vec::new() }
    }

    /// Notes that the columns of a meaning are used in some way.
    pub(super) fn note(&mut self, meaning: &Meaning, how: &How) {
        for &column in &meaning.columns {
            let used = Use { column, how: how.clone() };
            if !self.uses.contains(&used) {
                self.uses.push(used);
            }
        }
        for part in &meaning.parts {
            self.note(part, how);
        }
    }

    /// Notes that two meanings are compared for equality.
    pub(super) fn compare(&mut self, one: &Meaning, two: &Meaning) {
        if !one.parts.is_empty() && one.parts.len() == two.parts.len() {
            for (one, two) in one.parts.iter().zip(&two.parts) {
                self.compare(one, two);
            }
            return;
        }
        // `OLD.email <> NEW.email`: the same cell before and after.
        let same_cell = one.is_row && two.is_row;
        for (this, that) in [(one, two), (two, one)] {
            for with in that.withs() {
                for &column in &this.columns {
                    if !(same_cell && with == With::Column(column)) {
                        self.note(&Meaning::column(column), &How::Compares(with));
                    }
                }
            }
        }
    }

    /// Walks over a query and says what comes out of it.
    pub(super) fn query(&mut self, query: &Query) -> Vec<Output> {
        let outer = self.ctes.len();
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                self.cte(cte, with.recursive);
            }
        }
        let outputs = self.body(&query.body, query.order_by.as_ref());
        self.ctes.truncate(outer);
        outputs
    }

    fn cte(&mut self, cte: &Cte, is_recursive: bool) {
        let name = cte.alias.name.value.clone();
        if is_recursive {
            // Its first part knows no recursion, and says what the columns are.
            let mut first = cte.query.body.as_ref();
            while let SetExpr::SetOperation { left, .. } = first {
                first = left;
            }
            let mut ahead = Walker::new(self.reader, Scope::default());
            ahead.ctes.clone_from(&self.ctes);
            let outputs = renamed(ahead.body(first, None), &cte.alias);
            self.ctes.push((name.clone(), outputs));
        }
        let outputs = renamed(self.query(&cte.query), &cte.alias);
        if is_recursive {
            self.ctes.pop();
        }
        self.ctes.push((name, outputs));
    }

    fn body(&mut self, body: &SetExpr, order: Option<&OrderBy>) -> Vec<Output> {
        match body {
            SetExpr::Select(select) => self.select(select, order),
            SetExpr::SetOperation { .. } => {
                let outputs = self.set_operations(body);
                self.scopes.push(Scope { results: outputs.clone(), ..Scope::default() });
                self.order(order, &outputs);
                self.scopes.pop();
                outputs
            }
            SetExpr::Query(query) => {
                let outputs = self.query(query);
                self.scopes.push(Scope { results: outputs.clone(), ..Scope::default() });
                self.order(order, &outputs);
                self.scopes.pop();
                outputs
            }
            SetExpr::Values(values) => {
                let rows = values.rows.iter().map(|row| &row.content);
                let rows: Vec<Vec<Meaning>> =
                    rows.map(|row| row.iter().map(|e| self.expression(e)).collect()).collect();
                let width = rows.iter().map(Vec::len).max().unwrap_or(0);
                let column = |at: usize| rows.iter().filter_map(move |row| row.get(at).cloned());
                (0..width)
                    .map(|at| Output { name: String::new(), meaning: Meaning::any(column(at)) })
                    .collect()
            }
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.statement(statement),
            SetExpr::Table(table) => {
                let name = table.table_name.as_deref().unwrap_or_default();
                self.reader.columns(name, table.schema_name.as_deref()).unwrap_or_default()
            }
        }
    }

    /// `UNION` and its kind; a chain of a thousand of them is no deeper than one.
    fn set_operations(&mut self, body: &SetExpr) -> Vec<Output> {
        let mut chain = Vec::new();
        let mut at = body;
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = at {
            chain.push((*op, *set_quantifier, right.as_ref()));
            at = left;
        }
        let mut outputs = self.body(at, None);
        for (op, quantifier, right) in chain.into_iter().rev() {
            let right = self.body(right, None);
            let is_all = matches!(quantifier, SetQuantifier::All | SetQuantifier::AllByName);
            for (left, right) in outputs.iter_mut().zip(right) {
                match op {
                    SetOperator::Union => {
                        let both = [left.meaning.clone(), right.meaning];
                        left.meaning = Meaning::any(both);
                        if !is_all {
                            self.note(&left.meaning, &How::Groups("UNION"));
                        }
                    }
                    SetOperator::Except | SetOperator::Intersect | SetOperator::Minus => {
                        self.compare(&left.meaning, &right.meaning);
                    }
                }
            }
        }
        outputs
    }

    fn select(&mut self, select: &Select, order: Option<&OrderBy>) -> Vec<Output> {
        self.scopes.push(Scope::default());
        for from in &select.from {
            self.table_with_joins(from);
        }
        let outputs = self.outputs(&select.projection);
        self.innermost().results.clone_from(&outputs);
        let conditions = [&select.prewhere, &select.selection, &select.having, &select.qualify];
        for condition in conditions.into_iter().flatten() {
            self.expression(condition);
        }
        match &select.distinct {
            Some(Distinct::Distinct) => {
                for output in &outputs {
                    self.note(&output.meaning, &How::Groups("DISTINCT"));
                }
            }
            Some(Distinct::On(keys)) => self.group(keys, "DISTINCT ON", &outputs),
            Some(Distinct::All) | None => {}
        }
        if let GroupByExpr::Expressions(keys, _) = &select.group_by {
            self.group(keys, "GROUP BY", &outputs);
        }
        for window in &select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = &window.1 {
                self.window(spec);
            }
        }
        self.order(order, &outputs);
        self.scopes.pop();
        outputs
    }

    pub(super) fn innermost(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// What the items of a `SELECT` or a `RETURNING` stand for.
    pub(super) fn outputs(&mut self, items: &[SelectItem]) -> Vec<Output> {
        let mut outputs = Vec::new();
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expression) => {
                    let name = match expression {
                        Expr::Identifier(ident) => ident.value.clone(),
                        Expr::CompoundIdentifier(parts) => {
                            parts.last().map(|part| part.value.clone()).unwrap_or_default()
                        }
                        _ => String::new(),
                    };
                    outputs.push(Output { name, meaning: self.expression(expression) });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let meaning = self.expression(expr);
                    outputs.push(Output { name: alias.value.clone(), meaning });
                }
                SelectItem::ExprWithAliases { expr, aliases } => {
                    let meaning = self.expression(expr);
                    outputs.extend(aliases.iter().map(|alias| Output {
                        name: alias.value.clone(),
                        meaning: meaning.clone(),
                    }));
                }
                SelectItem::Wildcard(_) => outputs.extend(self.all_of(None)),
                SelectItem::QualifiedWildcard(kind, _) => {
                    if let SelectItemQualifiedWildcardKind::ObjectName(name) = kind {
                        outputs.extend(self.all_of(Some(&parts(name).0)));
                    }
                }
            }
        }
        outputs
    }

    fn all_of(&self, relation: Option<&str>) -> Vec<Output> {
        let Some(scope) = self.scopes.last() else { return Vec::new() };
        let relations = scope.relations.iter().filter(|known| match relation {
            Some(name) => known.name.eq_ignore_ascii_case(name),
            None => !known.is_qualified_only,
        });
        relations.flat_map(|known| known.columns.iter().cloned()).collect()
    }

    /// Puts a table and what is joined to it into the innermost scope.
    pub(super) fn table_with_joins(&mut self, from: &TableWithJoins) {
        self.factor(&from.relation);
        for join in &from.joins {
            self.join(join);
        }
    }

    fn join(&mut self, join: &Join) {
        let before = self.innermost().relations.clone();
        self.factor(&join.relation);
        let constraint = match &join.join_operator {
            JoinOperator::Join(c)
            | JoinOperator::Inner(c)
            | JoinOperator::Left(c)
            | JoinOperator::LeftOuter(c)
            | JoinOperator::Right(c)
            | JoinOperator::RightOuter(c)
            | JoinOperator::FullOuter(c)
            | JoinOperator::CrossJoin(c)
            | JoinOperator::Semi(c)
            | JoinOperator::LeftSemi(c)
            | JoinOperator::RightSemi(c)
            | JoinOperator::Anti(c)
            | JoinOperator::LeftAnti(c)
            | JoinOperator::RightAnti(c)
            | JoinOperator::StraightJoin(c)
            | JoinOperator::AsOf { constraint: c, .. } => c,
            JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => &JoinConstraint::None,
        };
        match constraint {
            JoinConstraint::On(condition) => {
                self.expression(condition);
            }
            JoinConstraint::Using(names) => {
                for name in names {
                    self.join_by(&before, &parts(name).0);
                }
            }
            JoinConstraint::Natural => {
                let joined = self.innermost().relations.split_off(before.len());
                let names: Vec<String> = joined
                    .iter()
                    .flat_map(|relation| relation.columns.iter().map(|c| c.name.clone()))
                    .filter(|name| before.iter().any(|known| known.column(name).is_some()))
                    .collect();
                self.innermost().relations.extend(joined);
                for name in names {
                    self.join_by(&before, &name);
                }
            }
            JoinConstraint::None => {}
        }
    }

    /// `USING (name)`: equal on both sides.
    fn join_by(&mut self, before: &[Relation], name: &str) {
        let meaning = |relations: &[Relation]| {
            let columns = relations.iter().filter_map(|relation| relation.column(name));
            Meaning::any(columns.map(|column| column.meaning.clone()))
        };
        let joined = meaning(self.innermost().relations.get(before.len()..).unwrap_or_default());
        self.compare(&meaning(before), &joined);
    }

    fn factor(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { name, alias, args, .. } => {
                let (table, schema) = parts(name);
                if let Some(args) = args {
                    self.table_function(&table, &args.args);
                }
                let cte = self.ctes.iter().rev().find(|(cte, _)| cte.eq_ignore_ascii_case(&table));
                let columns = match (cte, &schema) {
                    (Some((_, columns)), None) => columns.clone(),
                    _ => self.reader.columns(&table, schema.as_deref()).unwrap_or_default(),
                };
                self.add(&table, columns, alias.as_ref());
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let columns = self.query(subquery);
                self.add("", columns, alias.as_ref());
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                self.table_with_joins(table_with_joins);
            }
            TableFactor::Function { name, args, alias, .. } => {
                self.table_function(&parts(name).0, args);
                self.add("", Vec::new(), alias.as_ref());
            }
            TableFactor::TableFunction { expr, alias } => {
                self.expression(expr);
                self.add("", Vec::new(), alias.as_ref());
            }
            TableFactor::UNNEST { array_exprs, alias, .. } => {
                for array in array_exprs {
                    self.expression(array);
                }
                self.add("", Vec::new(), alias.as_ref());
            }
            TableFactor::JsonTable { json_expr, alias, .. }
            | TableFactor::OpenJsonTable { json_expr, alias, .. } => {
                let document = self.expression(json_expr);
                self.note(&document, &How::OpensJson);
                self.add("", Vec::new(), alias.as_ref());
            }
            // Forms of other products; what they hold is read as far as it is an expression.
            TableFactor::Pivot { table, .. }
            | TableFactor::Unpivot { table, .. }
            | TableFactor::MatchRecognize { table, .. } => self.factor(table),
            TableFactor::UnpivotExpr { expression, .. } => {
                self.expression(expression);
            }
            TableFactor::XmlTable { .. } | TableFactor::SemanticView { .. } => {}
        }
    }

    /// `json_each(profile)`: what is given to a function that makes rows of it is looked into.
    fn table_function(&mut self, name: &str, args: &[FunctionArg]) {
        let how = super::function::how(name);
        for arg in args {
            let (FunctionArg::Named { arg, .. }
            | FunctionArg::ExprNamed { arg, .. }
            | FunctionArg::Unnamed(arg)) = arg;
            if let FunctionArgExpr::Expr(expression) = arg {
                let meaning = self.expression(expression);
                self.note(&meaning, &how);
            }
        }
    }

    pub(super) fn add(&mut self, name: &str, columns: Vec<Output>, alias: Option<&TableAlias>) {
        let (name, columns) = match alias {
            Some(alias) => (alias.name.value.clone(), renamed(columns, alias)),
            None => (name.to_owned(), columns),
        };
        self.innermost().relations.push(Relation::new(name, columns));
    }

    fn group(&mut self, keys: &[Expr], keyword: &'static str, outputs: &[Output]) {
        for key in keys {
            let meaning = match ordinal(key, outputs) {
                Some(output) => output.meaning.clone(),
                None => self.expression(key),
            };
            self.note(&meaning, &How::Groups(keyword));
        }
    }

    fn order(&mut self, order: Option<&OrderBy>, outputs: &[Output]) {
        match order.map(|order| &order.kind) {
            Some(OrderByKind::Expressions(keys)) => {
                for key in keys {
                    let named = match &key.expr {
                        Expr::Identifier(name) => outputs
                            .iter()
                            .find(|output| output.name.eq_ignore_ascii_case(&name.value)),
                        key => ordinal(key, outputs),
                    };
                    match named.cloned() {
                        Some(output) => self.note(&output.meaning, &How::Sorts),
                        None => self.sort_key(key),
                    }
                }
            }
            Some(OrderByKind::All(_)) => {
                for output in outputs {
                    self.note(&output.meaning, &How::Sorts);
                }
            }
            None => {}
        }
    }

    /// One key of an `ORDER BY`.
    pub(super) fn sort_key(&mut self, key: &OrderByExpr) {
        let meaning = self.expression(&key.expr);
        self.note(&meaning, &How::Sorts);
    }

    /// `OVER (PARTITION BY … ORDER BY …)`.
    pub(super) fn window(&mut self, window: &WindowSpec) {
        for key in &window.partition_by {
            let meaning = self.expression(key);
            self.note(&meaning, &How::Groups("PARTITION BY"));
        }
        for key in &window.order_by {
            self.sort_key(key);
        }
    }
}

/// `ORDER BY 2`: the second column of the result.
fn ordinal<'o>(key: &Expr, outputs: &'o [Output]) -> Option<&'o Output> {
    let Expr::Value(value) = key else { return None };
    let Value::Number(number, _) = &value.value else { return None };
    outputs.get(number.parse::<usize>().ok()?.checked_sub(1)?)
}

/// `AS t(a, b)` gives the columns other names.
pub(super) fn renamed(mut columns: Vec<Output>, alias: &TableAlias) -> Vec<Output> {
    for (column, name) in columns.iter_mut().zip(&alias.columns) {
        column.name.clone_from(&name.name.value);
    }
    columns
}
