//! Predicates: SQL conditions over facts, with SQL's three-valued logic.
//!
//! The language is the portable part of SQL, so that a predicate reads the same here, in a report and in a warehouse:
//! comparison, `AND` `OR` `NOT`, `IS NULL`, `IN`, `BETWEEN`, `+ - *`, `COALESCE`, searched `CASE`, literals, fact names
//! and `:policy` values. [`Predicate::compile`] checks names and kinds once; [`Predicate::eval`] then runs eager Polars
//! kernels over whole columns. What a name stands for is left to [`Names`] and [`Columns`].

use std::collections::BTreeSet;
use std::fmt;

use polars::prelude::{
    BooleanChunked, ChunkCompareEq, ChunkCompareIneq, ChunkZip, DataType, Float64Chunked, NewChunkedArray, PlSmallStr,
    Series, StringChunked,
};
use sqlparser::ast::{BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, UnaryOperator};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace};

use super::nearest;

/// Longest predicate admitted, in bytes: far above any real one, and low enough that no text can exhaust the stack.
const MAX_TEXT: usize = 8 * 1024;

/// Deepest tree admitted; a chain of n `AND`s is n deep.
const MAX_DEPTH: usize = 256;

/// What a value is. `NULL` fits every kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A floating-point number.
    Number,
    /// Text.
    Text,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Bool => "true or false",
            Kind::Number => "a number",
            Kind::Text => "text",
        })
    }
}

/// What a predicate may name.
pub trait Names {
    /// The kind of a column; `None` when there is no such column.
    fn kind(&self, name: &str) -> Option<Kind>;
    /// The value of a policy setting, named without its colon; `None` when there is no such setting or it is no number.
    fn policy(&self, name: &str) -> Option<f64>;
    /// Every name, for "did you mean": columns as they are, policy settings as `:name`.
    fn all(&self) -> Vec<String>;
}

/// The columns of one block of rows.
pub trait Columns {
    /// Rows of the block.
    fn len(&self) -> usize;
    /// Is there no row?
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The column of that name: `Boolean` for [`Kind::Bool`], `Float64` for [`Kind::Number`], `String` for
    /// [`Kind::Text`], or the `Null` type where nothing is known. Called only with names that the predicate names.
    fn column(&self, name: &str) -> Series;
    /// In which rows a column of kind [`Kind::Text`] holds one of some texts, null where it holds none at all; `None`
    /// where this is not known without comparing the column itself.
    fn one_of(&self, _name: &str, _texts: &[&str]) -> Option<BooleanChunked> {
        None
    }
}

/// A place in the text of a predicate, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// Line within the text.
    pub line: u64,
    /// Character within the line.
    pub column: u64,
}

/// Why a text is no predicate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PredicateError {
    /// What was found and what was expected.
    pub message: String,
    /// Where it begins; `None` when the parser does not say.
    pub position: Option<Position>,
    /// The part of the text that is meant; empty when it is the whole.
    pub snippet: String,
    /// What to do next.
    pub hint: String,
}

impl fmt::Display for PredicateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(at) = self.position {
            if at.line > 1 {
                write!(f, " (line {}, character {})", at.line, at.column)?;
            } else {
                write!(f, " (character {})", at.column)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for PredicateError {}

const LANGUAGE: &str = "predicates know = <> < <= > >=, AND OR NOT, IS [NOT] NULL, [NOT] IN (…), [NOT] BETWEEN, + - *, \
                        COALESCE(…), CASE WHEN … THEN … END, numbers, 'text', TRUE, FALSE, NULL, fact names and :policy \
                        values; what needs more becomes a fact";

/// A compiled predicate.
#[derive(Clone, Debug)]
pub struct Predicate {
    text: String,
    tree: Node,
    names: BTreeSet<String>,
    params: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Column(String, Kind),
    Bool(bool),
    Number(f64),
    Text(String),
    Null,
    Compare(Comparison, Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    IsNull(Box<Node>),
    In(Box<Node>, Vec<Node>),
    Between(Box<Node>, Box<Node>, Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    Coalesce(Vec<Node>),
    Case(Vec<(Node, Node)>, Box<Node>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison that holds when the sides change places.
    fn flipped(self) -> Self {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            Comparison::Equal | Comparison::NotEqual => self,
        }
    }

    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Less => left < right,
            Comparison::LessOrEqual => left <= right,
            Comparison::Greater => left > right,
            Comparison::GreaterOrEqual => left >= right,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
}

impl Predicate {
    /// Parses a text and checks its names and kinds; policy values become literals.
    ///
    /// # Errors
    /// For anything outside the language, an unknown name, a comparison across kinds, or a text that is not a
    /// condition as a whole.
    pub fn compile(text: &str, names: &dyn Names) -> Result<Predicate, PredicateError> {
        let mut compiler = Compiler { known: names, names: BTreeSet::new(), params: BTreeSet::new() };
        let parsed = parse(text)?;
        let (tree, kind) = compiler.node(&parsed, 0)?;
        compiler.expect_bool(kind, &parsed, "a predicate as a whole")?;
        Ok(Predicate { text: text.trim().to_owned(), tree, names: compiler.names, params: compiler.params })
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As checked, for those who write it in other words.
    pub(super) fn tree(&self) -> &Node {
        &self.tree
    }

    /// The columns it names.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// The policy values it names, without the colon.
    pub fn params(&self) -> &BTreeSet<String> {
        &self.params
    }

    /// True when it is true whatever the facts, as `TRUE` is.
    pub fn is_const_true(&self) -> bool {
        struct OneRow;
        impl Columns for OneRow {
            fn len(&self) -> usize {
                1
            }
            fn column(&self, name: &str) -> Series {
                Series::new_null(PlSmallStr::from_str(name), 1)
            }
        }
        self.names.is_empty() && self.eval(&OneRow).get(0) == Some(true)
    }

    /// Judges every row: true, false, or null where the facts do not tell.
    pub fn eval(&self, columns: &dyn Columns) -> BooleanChunked {
        let len = columns.len();
        if len == 0 {
            return BooleanChunked::from_slice(PlSmallStr::EMPTY, &[]);
        }
        match self.tree.eval(columns).into_bool() {
            Cell::Each(column) => column,
            Cell::All(value) => full_bool(value, len),
        }
    }
}

/// What a column is compared with, and so where a verdict may turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// The column is itself a condition.
    Bool,
    /// A number it is compared with.
    Number(f64),
    /// A text it is compared with.
    Text(String),
}

impl Predicate {
    /// Everything that columns are compared with, on the first row of `columns`, in the order of the text.
    pub fn turns(&self, columns: &dyn Columns) -> Vec<(String, Turn)> {
        let mut out = Vec::new();
        self.tree.turns(columns, &mut out);
        out
    }
}

impl Node {
    fn turns(&self, columns: &dyn Columns, out: &mut Vec<(String, Turn)>) {
        match self {
            Node::Column(name, Kind::Bool) => out.push((name.clone(), Turn::Bool)),
            Node::Column(..) | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Null => {}
            Node::Compare(_, left, right) => {
                left.against(right, columns, out);
                right.against(left, columns, out);
            }
            Node::In(value, list) => list.iter().for_each(|one| value.against(one, columns, out)),
            Node::Between(value, low, high) => {
                value.against(low, columns, out);
                value.against(high, columns, out);
            }
            Node::And(left, right) | Node::Or(left, right) | Node::Arithmetic(_, left, right) => {
                left.turns(columns, out);
                right.turns(columns, out);
            }
            Node::Not(inner) | Node::IsNull(inner) => inner.turns(columns, out),
            Node::Coalesce(all) => all.iter().for_each(|one| one.turns(columns, out)),
            Node::Case(arms, otherwise) => {
                for (condition, result) in arms {
                    condition.turns(columns, out);
                    result.turns(columns, out);
                }
                otherwise.turns(columns, out);
            }
        }
    }

    fn against(&self, other: &Node, columns: &dyn Columns, out: &mut Vec<(String, Turn)>) {
        let Node::Column(name, kind) = self else { return self.turns(columns, out) };
        match (kind, other.eval(columns)) {
            (Kind::Bool, _) => out.push((name.clone(), Turn::Bool)),
            (Kind::Number, Value::Number(Cell::All(Some(number)))) => out.push((name.clone(), Turn::Number(number))),
            (Kind::Number, Value::Number(Cell::Each(column))) => {
                out.extend(column.get(0).map(|number| (name.clone(), Turn::Number(number))));
            }
            (Kind::Text, Value::Text(Cell::All(Some(text)))) => out.push((name.clone(), Turn::Text(text))),
            (Kind::Text, Value::Text(Cell::Each(column))) => {
                out.extend(column.get(0).map(|text| (name.clone(), Turn::Text(text.to_owned()))));
            }
            _ => {}
        }
    }
}

fn full_bool(value: Option<bool>, len: usize) -> BooleanChunked {
    use polars::prelude::{ChunkFull, ChunkFullNull};
    match value {
        Some(value) => BooleanChunked::full(PlSmallStr::EMPTY, value, len),
        None => BooleanChunked::full_null(PlSmallStr::EMPTY, len),
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Text to tree

fn position(at: Location) -> Option<Position> {
    (at.line > 0).then_some(Position { line: at.line, column: at.column })
}

fn refuse(message: String, at: Location, snippet: String) -> PredicateError {
    PredicateError { message, position: position(at), snippet, hint: LANGUAGE.to_owned() }
}

fn parse(text: &str) -> Result<Expr, PredicateError> {
    if text.trim().is_empty() {
        return Err(PredicateError {
            message: "the predicate is empty".to_owned(),
            position: None,
            snippet: String::new(),
            hint: "write TRUE for a predicate that always holds".to_owned(),
        });
    }
    if text.len() > MAX_TEXT {
        return Err(PredicateError {
            message: format!("the predicate has {} bytes, the longest admitted has {MAX_TEXT}", text.len()),
            position: None,
            snippet: String::new(),
            hint: "make the longer part a fact, or split the check in two".to_owned(),
        });
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|e| refuse(format!("not readable as SQL: {}", e.message), e.location, String::new()))?;
    for token in &tokens {
        admit(&token.token).map_err(|what| refuse(what, token.span.start, token.token.to_string()))?;
    }
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let parsed = parser.parse_expr().map_err(|e| {
        let message = match e {
            sqlparser::parser::ParserError::ParserError(m) | sqlparser::parser::ParserError::TokenizerError(m) => m,
            sqlparser::parser::ParserError::RecursionLimitExceeded => "nested too deeply".to_owned(),
        };
        let at = parser.peek_token().span.start;
        // The parser appends the place in its own words; ours stands beside the message.
        let message = message.split(" at Line:").next().unwrap_or_default().to_owned();
        refuse(format!("not readable as SQL: {message}"), at, String::new())
    })?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let message = format!("`{}` is left over after the end of the condition", rest.token);
        return Err(refuse(message, rest.span.start, rest.token.to_string()));
    }
    Ok(parsed)
}

/// Tokens of the language. Comments are refused because the text is also printed inside other SQL.
fn admit(token: &Token) -> Result<(), String> {
    match token {
        Token::EOF
        | Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab)
        | Token::Number(_, false)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::LParen
        | Token::RParen
        | Token::Colon => Ok(()),
        Token::Word(word) => match word.quote_style {
            None => Ok(()),
            Some('"') => Err(format!("{token} in double quotes names a column in SQL; write text in single quotes")),
            Some(_) => Err(format!("{token} is quoted; write names without quotes and text in single quotes")),
        },
        Token::Whitespace(_) => Err("comments are not part of a predicate".to_owned()),
        Token::DoubleEq => Err("`==` is not SQL; write `=`".to_owned()),
        Token::Div | Token::Mod => {
            Err(format!("`{token}` is not part of the language (dividing by zero has no verdict)"))
        }
        Token::DoubleColon => Err("`::` (a cast) is not part of the language".to_owned()),
        other => Err(format!("`{other}` is not part of the language")),
    }
}

struct Compiler<'a> {
    known: &'a dyn Names,
    names: BTreeSet<String>,
    params: BTreeSet<String>,
}

/// A node and its kind; `None` is the kind of `NULL`, which fits all.
type Kinded = (Node, Option<Kind>);

fn at(expr: &Expr) -> Location {
    expr.span().start
}

impl Compiler<'_> {
    fn node(&mut self, expr: &Expr, depth: usize) -> Result<Kinded, PredicateError> {
        if depth > MAX_DEPTH {
            return Err(PredicateError {
                message: format!("nested more than {MAX_DEPTH} deep"),
                position: position(at(expr)),
                snippet: String::new(),
                hint: "write long alternatives as `x IN (…)`, or make a part of it a fact".to_owned(),
            });
        }
        let below = depth + 1;
        match expr {
            Expr::Nested(inner) => self.node(inner, below),
            Expr::Identifier(name) => self.column(&name.value, at(expr)),
            Expr::Value(value) => self.literal(&value.value, value.span.start),
            Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => {
                let (node, kind) = self.node(inner, below)?;
                self.expect_bool(kind, inner, "NOT")?;
                Ok((Node::Not(Box::new(node)), Some(Kind::Bool)))
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
                let (node, kind) = self.node(inner, below)?;
                self.expect_number(kind, inner, "-")?;
                let zero = Box::new(Node::Number(0.0));
                Ok((Node::Arithmetic(Arithmetic::Subtract, zero, Box::new(node)), Some(Kind::Number)))
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, below),
            Expr::IsNull(inner) => Ok((self.is_null(inner, below)?, Some(Kind::Bool))),
            Expr::IsNotNull(inner) => Ok((Node::Not(Box::new(self.is_null(inner, below)?)), Some(Kind::Bool))),
            Expr::InList { expr: inner, list, negated } => {
                let node = self.in_list(inner, list, below)?;
                Ok((negate_if(*negated, node), Some(Kind::Bool)))
            }
            Expr::Between { expr: inner, negated, low, high } => {
                let (value, kind) = self.node(inner, below)?;
                let (low_node, low_kind) = self.node(low, below)?;
                let (high_node, high_kind) = self.node(high, below)?;
                self.same(kind, low_kind, low, "BETWEEN")?;
                self.same(kind, high_kind, high, "BETWEEN")?;
                self.ordered(kind.or(low_kind).or(high_kind), expr, "BETWEEN")?;
                self.same(low_kind, high_kind, high, "BETWEEN")?;
                let node = Node::Between(Box::new(value), Box::new(low_node), Box::new(high_node));
                Ok((negate_if(*negated, node), Some(Kind::Bool)))
            }
            Expr::Function(function) => self.function(expr, function, below),
            Expr::Case { operand, conditions, else_result, .. } => {
                if operand.is_some() {
                    let message = "CASE with an operand is not part of the language".to_owned();
                    let mut error = refuse(message, at(expr), expr.to_string());
                    error.hint = "write CASE WHEN x = 1 THEN … END".to_owned();
                    return Err(error);
                }
                let mut kind = None;
                let mut arms = Vec::with_capacity(conditions.len());
                for arm in conditions {
                    let (condition, condition_kind) = self.node(&arm.condition, below)?;
                    self.expect_bool(condition_kind, &arm.condition, "WHEN")?;
                    let (result, result_kind) = self.node(&arm.result, below)?;
                    self.same(kind, result_kind, &arm.result, "CASE")?;
                    kind = kind.or(result_kind);
                    arms.push((condition, result));
                }
                let otherwise = match else_result {
                    Some(otherwise) => {
                        let (node, otherwise_kind) = self.node(otherwise, below)?;
                        self.same(kind, otherwise_kind, otherwise, "CASE")?;
                        kind = kind.or(otherwise_kind);
                        node
                    }
                    None => Node::Null,
                };
                Ok((Node::Case(arms, Box::new(otherwise)), kind))
            }
            other => Err(refuse(
                format!("{} is not part of the language: `{}`", construct(other), brief(other)),
                at(other),
                other.to_string(),
            )),
        }
    }

    fn column(&mut self, name: &str, at: Location) -> Result<Kinded, PredicateError> {
        match self.known.kind(name) {
            Some(kind) => {
                self.names.insert(name.to_owned());
                Ok((Node::Column(name.to_owned(), kind), Some(kind)))
            }
            None => Err(self.unknown(name, at)),
        }
    }

    fn unknown(&self, name: &str, at: Location) -> PredicateError {
        let all = self.known.all();
        let hint = match nearest(name, all.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if name.starts_with(':') => "see `[policy]` in the documentation for the values there are".to_owned(),
            None => {
                "see the documentation of facts for the names there are; text is written in 'single quotes'".to_owned()
            }
        };
        let what = if name.starts_with(':') { "policy value" } else { "fact" };
        PredicateError {
            message: format!("there is no {what} `{name}`"),
            position: position(at),
            snippet: name.to_owned(),
            hint,
        }
    }

    fn literal(&mut self, value: &sqlparser::ast::Value, at: Location) -> Result<Kinded, PredicateError> {
        use sqlparser::ast::Value;
        match value {
            Value::Boolean(value) => Ok((Node::Bool(*value), Some(Kind::Bool))),
            Value::Null => Ok((Node::Null, None)),
            Value::SingleQuotedString(text) => Ok((Node::Text(text.clone()), Some(Kind::Text))),
            Value::Number(digits, false) => match digits.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok((Node::Number(number), Some(Kind::Number))),
                _ => Err(refuse(format!("`{digits}` is not a number in range"), at, digits.clone())),
            },
            Value::Placeholder(given) => match given.strip_prefix(':') {
                Some(name) => match self.known.policy(name) {
                    Some(number) => {
                        self.params.insert(name.to_owned());
                        Ok((Node::Number(number), Some(Kind::Number)))
                    }
                    None => Err(self.unknown(given, at)),
                },
                None => Err(refuse(format!("`{given}` is not part of the language"), at, given.clone())),
            },
            other => Err(refuse(format!("the literal {other} is not part of the language"), at, other.to_string())),
        }
    }

    fn binary(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        depth: usize,
    ) -> Result<Kinded, PredicateError> {
        let comparison = match op {
            BinaryOperator::Eq => Some(Comparison::Equal),
            BinaryOperator::NotEq => Some(Comparison::NotEqual),
            BinaryOperator::Lt => Some(Comparison::Less),
            BinaryOperator::LtEq => Some(Comparison::LessOrEqual),
            BinaryOperator::Gt => Some(Comparison::Greater),
            BinaryOperator::GtEq => Some(Comparison::GreaterOrEqual),
            _ => None,
        };
        let (left_node, left_kind) = self.node(left, depth)?;
        let (right_node, right_kind) = self.node(right, depth)?;
        let name = op.to_string();
        if let Some(comparison) = comparison {
            self.same(left_kind, right_kind, right, &name)?;
            if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
                self.ordered(left_kind.or(right_kind), left, &name)?;
            }
            let node = Node::Compare(comparison, Box::new(left_node), Box::new(right_node));
            return Ok((node, Some(Kind::Bool)));
        }
        let (left_node, right_node) = (Box::new(left_node), Box::new(right_node));
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                self.expect_bool(left_kind, left, &name)?;
                self.expect_bool(right_kind, right, &name)?;
                let node = match op {
                    BinaryOperator::And => Node::And(left_node, right_node),
                    _ => Node::Or(left_node, right_node),
                };
                Ok((node, Some(Kind::Bool)))
            }
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply => {
                self.expect_number(left_kind, left, &name)?;
                self.expect_number(right_kind, right, &name)?;
                let arithmetic = match op {
                    BinaryOperator::Plus => Arithmetic::Add,
                    BinaryOperator::Minus => Arithmetic::Subtract,
                    _ => Arithmetic::Multiply,
                };
                Ok((Node::Arithmetic(arithmetic, left_node, right_node), Some(Kind::Number)))
            }
            _ => Err(refuse(format!("`{name}` is not part of the language"), at(left), format!("{left} {op} {right}"))),
        }
    }

    fn is_null(&mut self, inner: &Expr, depth: usize) -> Result<Node, PredicateError> {
        let (node, _) = self.node(inner, depth)?;
        Ok(Node::IsNull(Box::new(node)))
    }

    fn in_list(&mut self, inner: &Expr, list: &[Expr], depth: usize) -> Result<Node, PredicateError> {
        if list.is_empty() {
            return Err(refuse("IN needs at least one value".to_owned(), at(inner), inner.to_string()));
        }
        let (value, mut kind) = self.node(inner, depth)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            let (node, item_kind) = self.node(item, depth)?;
            self.same(kind, item_kind, item, "IN")?;
            kind = kind.or(item_kind);
            items.push(node);
        }
        Ok(Node::In(Box::new(value), items))
    }

    fn function(
        &mut self,
        whole: &Expr,
        function: &sqlparser::ast::Function,
        depth: usize,
    ) -> Result<Kinded, PredicateError> {
        let name = function.name.to_string();
        let other = || refuse(format!("the function {name} is not part of the language"), at(whole), whole.to_string());
        if !name.eq_ignore_ascii_case("coalesce") {
            return Err(other());
        }
        let plain = !function.uses_odbc_syntax
            && function.parameters == FunctionArguments::None
            && function.filter.is_none()
            && function.null_treatment.is_none()
            && function.over.is_none()
            && function.within_group.is_empty();
        let FunctionArguments::List(list) = &function.args else { return Err(other()) };
        if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return Err(other());
        }
        if list.args.is_empty() {
            return Err(refuse("COALESCE needs at least one value".to_owned(), at(whole), whole.to_string()));
        }
        let mut kind = None;
        let mut nodes = Vec::with_capacity(list.args.len());
        for arg in &list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) = arg else { return Err(other()) };
            let (node, arg_kind) = self.node(arg, depth)?;
            self.same(kind, arg_kind, arg, "COALESCE")?;
            kind = kind.or(arg_kind);
            nodes.push(node);
        }
        Ok((Node::Coalesce(nodes), kind))
    }

    fn expect_bool(&self, kind: Option<Kind>, expr: &Expr, of: &str) -> Result<(), PredicateError> {
        self.expect(Kind::Bool, kind, expr, of, "compare it with something")
    }

    fn expect_number(&self, kind: Option<Kind>, expr: &Expr, of: &str) -> Result<(), PredicateError> {
        self.expect(Kind::Number, kind, expr, of, "use a fact that is a number")
    }

    fn expect(
        &self,
        wanted: Kind,
        kind: Option<Kind>,
        expr: &Expr,
        of: &str,
        hint: &str,
    ) -> Result<(), PredicateError> {
        match kind {
            Some(found) if found != wanted => Err(PredicateError {
                message: format!("{of} needs {wanted}, but `{}` is {found}", brief(expr)),
                position: position(at(expr)),
                snippet: expr.to_string(),
                hint: hint.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn same(&self, left: Option<Kind>, right: Option<Kind>, expr: &Expr, of: &str) -> Result<(), PredicateError> {
        match (left, right) {
            (Some(left), Some(right)) if left != right => Err(PredicateError {
                message: format!("{of} has {left} on one side, but `{}` is {right}", brief(expr)),
                position: position(at(expr)),
                snippet: expr.to_string(),
                hint: "compare values of the same kind; text is written in 'single quotes', numbers without quotes"
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Databases disagree on whether false is less than true, so the question is not admitted.
    fn ordered(&self, kind: Option<Kind>, expr: &Expr, of: &str) -> Result<(), PredicateError> {
        match kind {
            Some(Kind::Bool) => Err(PredicateError {
                message: format!("{of} needs an order, but `{}` is true or false", brief(expr)),
                position: position(at(expr)),
                snippet: expr.to_string(),
                hint: "use the fact alone, NOT, or =".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// A part of the text, short enough for one line of an error.
fn brief(expr: &Expr) -> String {
    let text = expr.to_string();
    if text.chars().count() <= 80 { text } else { text.chars().take(79).chain(['…']).collect() }
}

fn negate_if(negated: bool, node: Node) -> Node {
    if negated { Node::Not(Box::new(node)) } else { node }
}

/// What a construct outside the language is called.
fn construct(expr: &Expr) -> &'static str {
    match expr {
        Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => "a dotted name",
        Expr::IsTrue(_) | Expr::IsNotTrue(_) | Expr::IsFalse(_) | Expr::IsNotFalse(_) => "IS TRUE or IS FALSE",
        Expr::IsUnknown(_) | Expr::IsNotUnknown(_) => "IS UNKNOWN (write IS NULL)",
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => "IS DISTINCT FROM",
        Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => "a query inside a predicate",
        Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => "matching by pattern",
        Expr::AnyOp { .. } | Expr::AllOp { .. } => "ANY or ALL",
        Expr::Cast { .. } | Expr::Convert { .. } => "a cast",
        Expr::Interval(_) => "an interval (durations are facts in plain units)",
        Expr::TypedString(_) | Expr::Extract { .. } | Expr::AtTimeZone { .. } => "a date or time",
        Expr::Tuple(_) => "a list of values outside IN",
        Expr::UnaryOp { .. } => "this sign",
        Expr::Collate { .. } => "COLLATE",
        Expr::Substring { .. } | Expr::Trim { .. } | Expr::Position { .. } | Expr::Overlay { .. } => "a text function",
        Expr::Ceil { .. } | Expr::Floor { .. } => "rounding",
        _ => "this construct",
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Tree over columns

/// A value for each row, or one value for all rows; scalars are spread only where a kernel needs them.
#[derive(Clone)]
enum Cell<C, S> {
    Each(C),
    All(Option<S>),
}

type Bools = Cell<BooleanChunked, bool>;
type Numbers = Cell<Float64Chunked, f64>;
type Texts = Cell<StringChunked, String>;

#[derive(Clone)]
enum Value {
    Null,
    Bool(Bools),
    Number(Numbers),
    Text(Texts),
}

const KINDS: &str = "kinds were checked when the predicate was compiled";
const LENGTHS: &str = "columns of one block have the same length";

impl Value {
    fn into_bool(self) -> Bools {
        match self {
            Value::Bool(cell) => cell,
            Value::Null => Cell::All(None),
            Value::Number(_) | Value::Text(_) => unreachable!("{KINDS}"),
        }
    }

    fn into_number(self) -> Numbers {
        match self {
            Value::Number(cell) => cell,
            Value::Null => Cell::All(None),
            Value::Bool(_) | Value::Text(_) => unreachable!("{KINDS}"),
        }
    }

    fn into_text(self) -> Texts {
        match self {
            Value::Text(cell) => cell,
            Value::Null => Cell::All(None),
            Value::Bool(_) | Value::Number(_) => unreachable!("{KINDS}"),
        }
    }

    fn is_null(&self) -> Bools {
        match self {
            Value::Null => Cell::All(Some(true)),
            Value::Bool(cell) => cell.is_null(|column| column.is_null()),
            Value::Number(cell) => cell.is_null(|column| column.is_null()),
            Value::Text(cell) => cell.is_null(|column| column.is_null()),
        }
    }

    /// This value where the mask is true, the other where it is false or null.
    fn or_else(self, mask: &Bools, other: Value) -> Value {
        let mask = match mask {
            Cell::All(Some(true)) => return self,
            Cell::All(_) => return other,
            Cell::Each(mask) => mask,
        };
        match (self, other) {
            (Value::Null, Value::Null) => Value::Null,
            (left @ Value::Bool(_), right) | (left @ Value::Null, right @ Value::Bool(_)) => {
                let (left, right) = (left.into_bool().unit(), right.into_bool().unit());
                Value::Bool(Cell::Each(left.zip_with(mask, &right).expect(LENGTHS)))
            }
            (left @ Value::Number(_), right) | (left @ Value::Null, right @ Value::Number(_)) => {
                let (left, right) = (left.into_number().unit(), right.into_number().unit());
                Value::Number(Cell::Each(left.zip_with(mask, &right).expect(LENGTHS)))
            }
            (left @ Value::Text(_), right) | (left @ Value::Null, right @ Value::Text(_)) => {
                let (left, right) = (left.into_text().unit(), right.into_text().unit());
                Value::Text(Cell::Each(left.zip_with(mask, &right).expect(LENGTHS)))
            }
        }
    }
}

impl<C, S> Cell<C, S> {
    fn is_null(&self, of: impl FnOnce(&C) -> BooleanChunked) -> Bools {
        match self {
            Cell::Each(column) => Cell::Each(of(column)),
            Cell::All(value) => Cell::All(Some(value.is_none())),
        }
    }
}

/// A column, or a column of one row that the zip kernel broadcasts.
trait Unit<C> {
    fn unit(self) -> C;
}

impl Unit<BooleanChunked> for Bools {
    fn unit(self) -> BooleanChunked {
        match self {
            Cell::Each(column) => column,
            Cell::All(value) => BooleanChunked::from_slice_options(PlSmallStr::EMPTY, &[value]),
        }
    }
}

impl Unit<Float64Chunked> for Numbers {
    fn unit(self) -> Float64Chunked {
        match self {
            Cell::Each(column) => column,
            Cell::All(value) => Float64Chunked::from_slice_options(PlSmallStr::EMPTY, &[value]),
        }
    }
}

impl Unit<StringChunked> for Texts {
    fn unit(self) -> StringChunked {
        match self {
            Cell::Each(column) => column,
            Cell::All(value) => StringChunked::from_slice_options(PlSmallStr::EMPTY, &[value]),
        }
    }
}

impl Node {
    /// Where this is a column of texts, and all others are texts.
    fn one_of(&self, columns: &dyn Columns, others: &[Node]) -> Option<Bools> {
        let Node::Column(name, Kind::Text) = self else { return None };
        let mut texts = Vec::with_capacity(others.len());
        for other in others {
            let Node::Text(text) = other else { return None };
            texts.push(text.as_str());
        }
        columns.one_of(name, &texts).map(Cell::Each)
    }

    fn eval(&self, columns: &dyn Columns) -> Value {
        match self {
            Node::Column(name, kind) => load(columns.column(name), *kind),
            Node::Bool(value) => Value::Bool(Cell::All(Some(*value))),
            Node::Number(value) => Value::Number(Cell::All(Some(*value))),
            Node::Text(value) => Value::Text(Cell::All(Some(value.clone()))),
            Node::Null => Value::Null,
            Node::Compare(op @ (Comparison::Equal | Comparison::NotEqual), left, right) => {
                let found = left.one_of(columns, std::slice::from_ref(&**right));
                let found = found.or_else(|| right.one_of(columns, std::slice::from_ref(&**left)));
                match (found, op) {
                    (Some(found), Comparison::Equal) => Value::Bool(found),
                    (Some(found), _) => Value::Bool(not(found)),
                    (None, op) => Value::Bool(compare(*op, left.eval(columns), right.eval(columns))),
                }
            }
            Node::Compare(op, left, right) => Value::Bool(compare(*op, left.eval(columns), right.eval(columns))),
            Node::And(left, right) => {
                let left = left.eval(columns).into_bool();
                if let Cell::All(Some(false)) = left {
                    return Value::Bool(left);
                }
                Value::Bool(and(left, right.eval(columns).into_bool()))
            }
            Node::Or(left, right) => {
                let left = left.eval(columns).into_bool();
                if let Cell::All(Some(true)) = left {
                    return Value::Bool(left);
                }
                Value::Bool(or(left, right.eval(columns).into_bool()))
            }
            Node::Not(inner) => Value::Bool(not(inner.eval(columns).into_bool())),
            Node::IsNull(inner) => Value::Bool(inner.eval(columns).is_null()),
            // SQL defines `x IN (a, b)` as `x = a OR x = b`, which also settles what a NULL in the list means.
            Node::In(value, items) => {
                if let Some(found) = value.one_of(columns, items) {
                    return Value::Bool(found);
                }
                let value = value.eval(columns);
                Value::Bool(items.iter().fold(Cell::All(Some(false)), |any, item| match any {
                    Cell::All(Some(true)) => any,
                    any => or(any, compare(Comparison::Equal, value.clone(), item.eval(columns))),
                }))
            }
            Node::Between(value, low, high) => {
                let value = value.eval(columns);
                let from = compare(Comparison::GreaterOrEqual, value.clone(), low.eval(columns));
                Value::Bool(and(from, compare(Comparison::LessOrEqual, value, high.eval(columns))))
            }
            Node::Arithmetic(op, left, right) => {
                Value::Number(arithmetic(*op, left.eval(columns).into_number(), right.eval(columns).into_number()))
            }
            Node::Coalesce(nodes) => {
                let mut rest = nodes.iter().rev();
                let last = rest.next().map_or(Value::Null, |node| node.eval(columns));
                rest.fold(last, |after, node| {
                    let value = node.eval(columns);
                    let known = not(value.is_null());
                    value.or_else(&known, after)
                })
            }
            Node::Case(arms, otherwise) => {
                arms.iter().rev().fold(otherwise.eval(columns), |after, (condition, result)| {
                    let mask = condition.eval(columns).into_bool();
                    result.eval(columns).or_else(&mask, after)
                })
            }
        }
    }
}

fn load(series: Series, kind: Kind) -> Value {
    if series.dtype() == &DataType::Null {
        return Value::Null;
    }
    match kind {
        Kind::Bool => Value::Bool(Cell::Each(series.bool().expect("a fact of kind Bool is a Boolean series").clone())),
        Kind::Number => {
            Value::Number(Cell::Each(series.f64().expect("a fact of kind Number is a Float64 series").clone()))
        }
        Kind::Text => Value::Text(Cell::Each(series.str().expect("a fact of kind Text is a String series").clone())),
    }
}

fn not(value: Bools) -> Bools {
    match value {
        Cell::Each(column) => Cell::Each(!&column),
        Cell::All(value) => Cell::All(value.map(|value| !value)),
    }
}

fn and(left: Bools, right: Bools) -> Bools {
    match (left, right) {
        (Cell::Each(left), Cell::Each(right)) => Cell::Each(&left & &right),
        (Cell::All(Some(false)), _) | (_, Cell::All(Some(false))) => Cell::All(Some(false)),
        (Cell::All(Some(true)), other) | (other, Cell::All(Some(true))) => other,
        (Cell::All(None), Cell::All(None)) => Cell::All(None),
        (Cell::All(None), Cell::Each(column)) | (Cell::Each(column), Cell::All(None)) => {
            Cell::Each(&column & &BooleanChunked::from_slice_options(PlSmallStr::EMPTY, &[None]))
        }
    }
}

fn or(left: Bools, right: Bools) -> Bools {
    match (left, right) {
        (Cell::Each(left), Cell::Each(right)) => Cell::Each(&left | &right),
        (Cell::All(Some(true)), _) | (_, Cell::All(Some(true))) => Cell::All(Some(true)),
        (Cell::All(Some(false)), other) | (other, Cell::All(Some(false))) => other,
        (Cell::All(None), Cell::All(None)) => Cell::All(None),
        (Cell::All(None), Cell::Each(column)) | (Cell::Each(column), Cell::All(None)) => {
            Cell::Each(&column | &BooleanChunked::from_slice_options(PlSmallStr::EMPTY, &[None]))
        }
    }
}

fn compare(op: Comparison, left: Value, right: Value) -> Bools {
    match (left, right) {
        // A comparison with NULL is unknown for every row.
        (Value::Null, _) | (_, Value::Null) => Cell::All(None),
        (Value::Bool(left), Value::Bool(right)) => compare_bools(op, left, right),
        (Value::Number(left), Value::Number(right)) => match (left, right) {
            (Cell::Each(left), Cell::Each(right)) => Cell::Each(columns_compare(op, &left, &right)),
            (Cell::Each(column), Cell::All(Some(value))) => Cell::Each(columns_compare(op, &column, value)),
            (Cell::All(Some(value)), Cell::Each(column)) => Cell::Each(columns_compare(op.flipped(), &column, value)),
            (Cell::All(Some(left)), Cell::All(Some(right))) => Cell::All(Some(op.holds(&left, &right))),
            (Cell::All(None), _) | (_, Cell::All(None)) => Cell::All(None),
        },
        (Value::Text(left), Value::Text(right)) => match (left, right) {
            (Cell::Each(left), Cell::Each(right)) => Cell::Each(columns_compare(op, &left, &right)),
            (Cell::Each(column), Cell::All(Some(value))) => Cell::Each(columns_compare(op, &column, value.as_str())),
            (Cell::All(Some(value)), Cell::Each(column)) => {
                Cell::Each(columns_compare(op.flipped(), &column, value.as_str()))
            }
            (Cell::All(Some(left)), Cell::All(Some(right))) => Cell::All(Some(op.holds(&left, &right))),
            (Cell::All(None), _) | (_, Cell::All(None)) => Cell::All(None),
        },
        (Value::Bool(_) | Value::Number(_) | Value::Text(_), _) => unreachable!("{KINDS}"),
    }
}

fn columns_compare<C, R>(op: Comparison, left: &C, right: R) -> BooleanChunked
where
    C: ChunkCompareEq<R, Item = BooleanChunked> + ChunkCompareIneq<R, Item = BooleanChunked>,
{
    match op {
        Comparison::Equal => left.equal(right),
        Comparison::NotEqual => left.not_equal(right),
        Comparison::Less => left.lt(right),
        Comparison::LessOrEqual => left.lt_eq(right),
        Comparison::Greater => left.gt(right),
        Comparison::GreaterOrEqual => left.gt_eq(right),
    }
}

/// Only `=` and `<>` reach this; an order of truth values is refused when compiling.
fn compare_bools(op: Comparison, left: Bools, right: Bools) -> Bools {
    let equal = match (left, right) {
        (Cell::All(None), _) | (_, Cell::All(None)) => Cell::All(None),
        (Cell::All(Some(left)), Cell::All(Some(right))) => Cell::All(Some(left == right)),
        (Cell::Each(left), Cell::Each(right)) => Cell::Each(left.equal(&right)),
        (Cell::All(Some(true)), column) | (column, Cell::All(Some(true))) => column,
        (Cell::All(Some(false)), column) | (column, Cell::All(Some(false))) => not(column),
    };
    if op == Comparison::NotEqual { not(equal) } else { equal }
}

fn arithmetic(op: Arithmetic, left: Numbers, right: Numbers) -> Numbers {
    match (left, right) {
        (Cell::All(None), _) | (_, Cell::All(None)) => Cell::All(None),
        (Cell::All(Some(left)), Cell::All(Some(right))) => Cell::All(Some(match op {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
        })),
        (left, right) => {
            // A column of one row is broadcast by the arithmetic kernels.
            let (left, right) = (left.unit(), right.unit());
            Cell::Each(match op {
                Arithmetic::Add => &left + &right,
                Arithmetic::Subtract => &left - &right,
                Arithmetic::Multiply => &left * &right,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use polars::prelude::NamedFrom;
    use proptest::prelude::*;

    use super::*;

    struct Few;

    impl Names for Few {
        fn kind(&self, name: &str) -> Option<Kind> {
            match name {
                "known" | "left" => Some(Kind::Bool),
                "days" | "level" => Some(Kind::Number),
                "tier" | "action" => Some(Kind::Text),
                _ => None,
            }
        }
        fn policy(&self, name: &str) -> Option<f64> {
            (name == "limit").then_some(2.0)
        }
        fn all(&self) -> Vec<String> {
            ["known", "left", "days", "level", "tier", "action", ":limit"].map(str::to_owned).to_vec()
        }
    }

    struct Block(usize, BTreeMap<&'static str, Series>);

    impl Columns for Block {
        fn len(&self) -> usize {
            self.0
        }
        fn column(&self, name: &str) -> Series {
            self.1[name].clone()
        }
    }

    type Row = (Option<bool>, Option<bool>, Option<f64>, Option<f64>, Option<String>, Option<String>);

    fn block(rows: &[Row]) -> Block {
        fn column<T>(rows: &[Row], of: impl Fn(&Row) -> T) -> Vec<T> {
            rows.iter().map(of).collect()
        }
        let name = PlSmallStr::EMPTY;
        let series = BTreeMap::from([
            ("known", Series::new(name.clone(), column(rows, |row| row.0))),
            ("left", Series::new(name.clone(), column(rows, |row| row.1))),
            ("days", Series::new(name.clone(), column(rows, |row| row.2))),
            ("level", Series::new(name.clone(), column(rows, |row| row.3))),
            ("tier", Series::new(name.clone(), column(rows, |row| row.4.clone()))),
            ("action", Series::new(name, column(rows, |row| row.5.clone()))),
        ]);
        Block(rows.len(), series)
    }

    fn error(text: &str) -> PredicateError {
        Predicate::compile(text, &Few).expect_err(text)
    }

    fn judge(text: &str, rows: &[Row]) -> Vec<Option<bool>> {
        Predicate::compile(text, &Few).expect(text).eval(&block(rows)).iter().collect()
    }

    fn row(known: Option<bool>, days: Option<f64>, tier: Option<&str>) -> Row {
        (known, None, days, None, tier.map(str::to_owned), None)
    }

    #[test]
    fn names_and_params_are_collected() {
        let predicate = Predicate::compile(" days > :limit AND NOT known ", &Few).expect("good");
        assert_eq!(predicate.text(), "days > :limit AND NOT known");
        assert_eq!(predicate.names().iter().collect::<Vec<_>>(), ["days", "known"]);
        assert_eq!(predicate.params().iter().collect::<Vec<_>>(), ["limit"]);
        assert!(!predicate.is_const_true());
        assert!(Predicate::compile("TRUE", &Few).expect("good").is_const_true());
        assert!(Predicate::compile("1 < :limit", &Few).expect("good").is_const_true());
        assert!(!Predicate::compile("NULL", &Few).expect("good").is_const_true());
    }

    #[test]
    fn what_is_outside_the_language_is_named() {
        for (text, part) in [
            ("days / 2 > 1", "`/`"),
            ("tier LIKE 'a%'", "pattern"),
            ("CAST(days AS TEXT) = 'a'", "cast"),
            ("days::text = 'a'", "`::`"),
            ("UPPER(tier) = 'A'", "function UPPER"),
            ("COALESCE(DISTINCT known) ", "COALESCE"),
            ("tier = \"a\"", "double quotes"),
            ("tier = `a`", "quoted"),
            ("known -- really", "comments"),
            ("known /* really */", "comments"),
            ("known == left", "`=`"),
            ("known IS TRUE", "IS TRUE"),
            ("days IS DISTINCT FROM 1", "IS DISTINCT FROM"),
            ("EXISTS (SELECT 1)", "query"),
            ("days IN (SELECT 1)", "query"),
            ("CASE tier WHEN 'a' THEN TRUE END", "operand"),
            ("INTERVAL '1' DAY > days", "interval"),
            ("tier || 'a' = 'b'", "`||`"),
            ("a.known", "`.`"),
            ("+days > 1", "sign"),
            ("known XOR left", "XOR"),
            ("known left", "left over"),
            ("known;", "`;`"),
            ("", "empty"),
            ("days > @limit", "@"),
            ("days >", "not readable"),
            ("days IN ()", "not readable"),
            ("tier = 'a", "not readable"),
            ("days > 1e999", "range"),
            ("tier = N'a'", "not part of the language"),
            ("DATE '2026-01-01' = NULL", "not part of the language"),
            ("known::bool", "cast"),
        ] {
            let error = error(text);
            assert!(error.message.contains(part), "{text}: {error}");
            assert!(!error.hint.is_empty(), "{text}");
        }
    }

    #[test]
    fn kinds_are_checked() {
        for text in [
            "days",
            "days = 'a'",
            "tier > 1",
            "known = 1",
            "known AND days",
            "NOT tier",
            "known < left",
            "days + known > 1",
            "days IN (1, 'a')",
            "tier BETWEEN 1 AND 2",
            "known BETWEEN left AND TRUE",
            "COALESCE(days, tier) = 1",
            "CASE WHEN days THEN TRUE END",
            "CASE WHEN known THEN 1 ELSE 'a' END = 1",
            "-tier = 1",
            "NULL BETWEEN 1 AND 'a'",
            "NULL IN (1, 'a')",
            "known BETWEEN NULL AND NULL",
        ] {
            error(text);
        }
        for text in [
            "known = NULL",
            "NULL",
            "NULL IN (NULL)",
            "COALESCE(NULL, known)",
            "CASE WHEN NULL THEN NULL END",
            "NULL = NULL",
            "-NULL = 1",
        ] {
            Predicate::compile(text, &Few).expect(text);
        }
    }

    #[test]
    fn a_mistyped_name_brings_the_nearest() {
        let unknown = error("known AND\n dayz > 1");
        assert_eq!(unknown.hint, "did you mean `days`?");
        assert_eq!(unknown.position, Some(Position { line: 2, column: 2 }));
        assert_eq!(unknown.snippet, "dayz");
        assert_eq!(unknown.to_string(), "there is no fact `dayz` (line 2, character 2)");
        let unknown = error("days > :limits");
        assert_eq!(
            (unknown.hint.as_str(), unknown.message.as_str()),
            ("did you mean `:limit`?", "there is no policy value `:limits`")
        );
        assert_eq!(error("KNOWN").hint, "did you mean `known`?");
    }

    #[test]
    fn no_text_exhausts_the_stack() {
        error(&"(".repeat(8_000));
        error(&format!("{}known", "NOT ".repeat(2_000)));
        error(&vec!["known"; 1_000].join(" AND "));
        error(&format!("{}days > 1", "- ".repeat(4_000)));
        error(&"known OR ".repeat(100_000));
    }

    #[test]
    fn unknown_stays_unknown_unless_the_rest_decides() {
        let rows =
            [row(Some(true), Some(1.0), Some("a")), row(None, None, None), row(Some(false), Some(3.0), Some("b"))];
        assert_eq!(judge("known", &rows), [Some(true), None, Some(false)]);
        assert_eq!(judge("known AND days <= :limit", &rows), [Some(true), None, Some(false)]);
        assert_eq!(judge("known OR TRUE", &rows), [Some(true); 3]);
        assert_eq!(judge("known AND NULL", &rows), [None, None, Some(false)]);
        assert_eq!(judge("tier IN ('a', NULL)", &rows), [Some(true), None, None]);
        assert_eq!(judge("tier NOT IN ('a')", &rows), [Some(false), None, Some(true)]);
        assert_eq!(judge("days NOT BETWEEN 0 AND :limit", &rows), [Some(false), None, Some(true)]);
        assert_eq!(
            judge("CASE WHEN days > 2 THEN TRUE WHEN known THEN FALSE END", &rows),
            [Some(false), None, Some(true)]
        );
        assert_eq!(judge("COALESCE(tier, 'none') = 'none'", &rows), [Some(false), Some(true), Some(false)]);
        assert_eq!(judge("tier IS NULL", &rows), [Some(false), Some(true), Some(false)]);
        assert_eq!(judge("left IS NOT NULL", &rows), [Some(false); 3]);
        assert_eq!(judge("known", &[]), []);
        assert_eq!(judge("1 = 1", &rows[..1]), [Some(true)]);
        assert_eq!(judge("tier = 'it''s'", &[row(None, None, Some("it's"))]), [Some(true)]);
    }

    #[test]
    fn a_column_of_which_nothing_is_known_may_have_no_type() {
        let block = Block(2, BTreeMap::from([("known", Series::new_null(PlSmallStr::EMPTY, 2))]));
        let predicate = Predicate::compile("NOT known OR known IS NULL", &Few).expect("good");
        assert_eq!(predicate.eval(&block).iter().collect::<Vec<_>>(), [Some(true); 2]);
    }

    // An independent reading of SQL: one row at a time, on a tree that never was text.

    #[derive(Clone, Debug)]
    enum E {
        Name(&'static str),
        Limit,
        B(bool),
        N(i32),
        T(&'static str),
        Null,
        Not(Box<E>),
        Negate(Box<E>),
        Infix(&'static str, Box<E>, Box<E>),
        IsNull(Box<E>, bool),
        In(Box<E>, Vec<E>, bool),
        Between(Box<E>, Box<E>, Box<E>, bool),
        Coalesce(Vec<E>),
        Case(Vec<(E, E)>, Option<Box<E>>),
    }

    #[derive(Clone, Debug, PartialEq, PartialOrd)]
    enum V {
        B(bool),
        N(f64),
        T(String),
    }

    fn print(e: &E) -> String {
        let list = |items: &[E]| items.iter().map(print).collect::<Vec<_>>().join(", ");
        let not = |negated: bool| if negated { "NOT " } else { "" };
        match e {
            E::Name(name) => (*name).to_owned(),
            E::Limit => ":limit".to_owned(),
            E::B(value) => if *value { "TRUE" } else { "false" }.to_owned(),
            E::N(value) if *value < 0 => format!("(-{})", -value),
            E::N(value) => value.to_string(),
            E::T(value) => format!("'{}'", value.replace('\'', "''")),
            E::Null => "NULL".to_owned(),
            E::Not(inner) => format!("(NOT {})", print(inner)),
            E::Negate(inner) => format!("(- {})", print(inner)),
            E::Infix(op, left, right) => format!("({} {op} {})", print(left), print(right)),
            E::IsNull(inner, negated) => format!("({} IS {}NULL)", print(inner), not(*negated)),
            E::In(inner, items, negated) => format!("({} {}IN ({}))", print(inner), not(*negated), list(items)),
            E::Between(inner, low, high, negated) => {
                format!("({} {}BETWEEN {} AND {})", print(inner), not(*negated), print(low), print(high))
            }
            E::Coalesce(items) => format!("COALESCE({})", list(items)),
            E::Case(arms, otherwise) => {
                let arms: String =
                    arms.iter().map(|(when, then)| format!("WHEN {} THEN {} ", print(when), print(then))).collect();
                let otherwise = otherwise.as_ref().map_or(String::new(), |e| format!("ELSE {} ", print(e)));
                format!("CASE {arms}{otherwise}END")
            }
        }
    }

    fn truth(value: Option<V>) -> Option<bool> {
        match value {
            Some(V::B(value)) => Some(value),
            None => None,
            Some(other) => panic!("{other:?} is no truth value"),
        }
    }

    fn kleene_and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
        match (left, right) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    fn interpret(e: &E, row: &Row) -> Option<V> {
        let number = |value: Option<V>| match value {
            Some(V::N(value)) => Some(value),
            None => None,
            Some(other) => panic!("{other:?} is no number"),
        };
        match e {
            E::Name("known") => row.0.map(V::B),
            E::Name("left") => row.1.map(V::B),
            E::Name("days") => row.2.map(V::N),
            E::Name("level") => row.3.map(V::N),
            E::Name("tier") => row.4.clone().map(V::T),
            E::Name(_) => row.5.clone().map(V::T),
            E::Limit => Some(V::N(2.0)),
            E::B(value) => Some(V::B(*value)),
            E::N(value) => Some(V::N(f64::from(*value))),
            E::T(value) => Some(V::T((*value).to_owned())),
            E::Null => None,
            E::Not(inner) => truth(interpret(inner, row)).map(|value| V::B(!value)),
            E::Negate(inner) => number(interpret(inner, row)).map(|value| V::N(0.0 - value)),
            E::Infix(op, left, right) => {
                let (left, right) = (interpret(left, row), interpret(right, row));
                match *op {
                    "AND" => kleene_and(truth(left), truth(right)).map(V::B),
                    "OR" => kleene_and(truth(left).map(|v| !v), truth(right).map(|v| !v)).map(|v| V::B(!v)),
                    "+" | "-" | "*" => {
                        let (left, right) = (number(left)?, number(right)?);
                        Some(V::N(match *op {
                            "+" => left + right,
                            "-" => left - right,
                            _ => left * right,
                        }))
                    }
                    op => {
                        let (left, right) = (left?, right?);
                        Some(V::B(match op {
                            "=" => left == right,
                            "<>" | "!=" => left != right,
                            "<" => left < right,
                            "<=" => left <= right,
                            ">" => left > right,
                            _ => left >= right,
                        }))
                    }
                }
            }
            E::IsNull(inner, negated) => Some(V::B(interpret(inner, row).is_none() != *negated)),
            E::In(inner, items, negated) => {
                let value = interpret(inner, row)?;
                let mut unknown = false;
                for item in items {
                    match interpret(item, row) {
                        Some(item) if item == value => return Some(V::B(!negated)),
                        Some(_) => {}
                        None => unknown = true,
                    }
                }
                if unknown { None } else { Some(V::B(*negated)) }
            }
            E::Between(inner, low, high, negated) => {
                let value = interpret(inner, row);
                let least = interpret(low, row).and_then(|low| value.clone().map(|value| value >= low));
                let most = interpret(high, row).and_then(|high| value.map(|value| value <= high));
                kleene_and(least, most).map(|within| V::B(within != *negated))
            }
            E::Coalesce(items) => items.iter().find_map(|item| interpret(item, row)),
            E::Case(arms, otherwise) => {
                for (when, then) in arms {
                    if truth(interpret(when, row)) == Some(true) {
                        return interpret(then, row);
                    }
                }
                otherwise.as_ref().and_then(|otherwise| interpret(otherwise, row))
            }
        }
    }

    fn leaf(kind: Kind) -> BoxedStrategy<E> {
        match kind {
            Kind::Bool => {
                prop_oneof![Just(E::Name("known")), Just(E::Name("left")), any::<bool>().prop_map(E::B), Just(E::Null)]
                    .boxed()
            }
            Kind::Number => prop_oneof![
                Just(E::Name("days")),
                Just(E::Name("level")),
                Just(E::Limit),
                (-3..4).prop_map(E::N),
                Just(E::Null)
            ]
            .boxed(),
            Kind::Text => {
                let text = prop_oneof![Just("a"), Just("b"), Just("it's"), Just("名前")].prop_map(E::T);
                prop_oneof![Just(E::Name("tier")), Just(E::Name("action")), text, Just(E::Null)].boxed()
            }
        }
    }

    fn expr(kind: Kind, depth: u32) -> BoxedStrategy<E> {
        if depth == 0 {
            return leaf(kind);
        }
        let below = move |kind| expr(kind, depth - 1);
        let boxed = move |kind| below(kind).prop_map(Box::new);
        let arms = prop::collection::vec((below(Kind::Bool), below(kind)), 1..3);
        let case = (arms, prop::option::of(boxed(kind))).prop_map(|(arms, otherwise)| E::Case(arms, otherwise));
        let coalesce = prop::collection::vec(below(kind), 1..4).prop_map(E::Coalesce);
        let common = prop_oneof![3 => leaf(kind), 1 => case, 1 => coalesce];
        let any_kind = || prop_oneof![Just(Kind::Bool), Just(Kind::Number), Just(Kind::Text)];
        match kind {
            Kind::Bool => {
                let logic = (prop_oneof![Just("AND"), Just("OR")], boxed(Kind::Bool), boxed(Kind::Bool));
                let equal = any_kind().prop_flat_map(move |kind| {
                    (prop_oneof![Just("="), Just("<>"), Just("!=")], boxed(kind), boxed(kind))
                });
                let order = prop_oneof![Just(Kind::Number), Just(Kind::Text)].prop_flat_map(move |kind| {
                    (prop_oneof![Just("<"), Just("<="), Just(">"), Just(">=")], boxed(kind), boxed(kind))
                });
                let infix = prop_oneof![2 => logic, 1 => equal, 1 => order].prop_map(|(op, l, r)| E::Infix(op, l, r));
                let is_null = (any_kind().prop_flat_map(boxed), any::<bool>()).prop_map(|(e, not)| E::IsNull(e, not));
                let within = any_kind()
                    .prop_flat_map(move |kind| (boxed(kind), prop::collection::vec(below(kind), 1..4), any::<bool>()))
                    .prop_map(|(e, items, not)| E::In(e, items, not));
                let between = prop_oneof![Just(Kind::Number), Just(Kind::Text)]
                    .prop_flat_map(move |kind| (boxed(kind), boxed(kind), boxed(kind), any::<bool>()))
                    .prop_map(|(e, low, high, not)| E::Between(e, low, high, not));
                let not = boxed(Kind::Bool).prop_map(E::Not);
                prop_oneof![1 => common, 3 => infix, 1 => is_null, 1 => within, 1 => between, 1 => not].boxed()
            }
            Kind::Number => {
                let op = prop_oneof![Just("+"), Just("-"), Just("*")];
                let sum = (op, boxed(kind), boxed(kind)).prop_map(|(op, l, r)| E::Infix(op, l, r));
                prop_oneof![2 => common, 1 => sum, 1 => boxed(kind).prop_map(E::Negate)].boxed()
            }
            Kind::Text => common.boxed(),
        }
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let number = || prop::option::of((-3..4).prop_map(f64::from));
        let text =
            || prop::option::of(prop_oneof![Just("a"), Just("b"), Just("it's"), Just("名前")].prop_map(str::to_owned));
        prop::collection::vec((any::<Option<bool>>(), any::<Option<bool>>(), number(), number(), text(), text()), 0..9)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn columns_agree_with_rows(e in expr(Kind::Bool, 3), rows in rows()) {
            let text = print(&e);
            match Predicate::compile(&text, &Few) {
                Ok(predicate) => {
                    let found: Vec<Option<bool>> = predicate.eval(&block(&rows)).iter().collect();
                    let expected: Vec<Option<bool>> = rows.iter().map(|row| truth(interpret(&e, row))).collect();
                    prop_assert_eq!(found, expected, "{}", text);
                }
                Err(error) => prop_assert!(false, "{}: {}", text, error),
            }
        }
    }
}
