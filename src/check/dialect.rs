//! Predicates in the SQL of other engines, with the same three-valued logic.
//!
//! The language of predicates is the portable part of SQL, but engines differ in small things that change a verdict: ClickHouse
//! takes `NULL IN (…)` for false, Spark and ClickHouse read backslashes in text, and none of them agrees with another on the
//! type of `1.5`. So a predicate is printed from its tree, and whatever an engine could read otherwise is written so that it
//! cannot. Which table the columns come from is left to whoever prints.

use std::fmt;
use std::fmt::Write as _;

use super::predicate::{Arithmetic, Comparison, Kind, Node, Predicate};

/// An engine that judges tables of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// DuckDB, from 1.1.
    DuckDb,
    /// Spark SQL, from 3.4, ANSI mode or not.
    Spark,
    /// ClickHouse and chdb, from 23.8.
    ClickHouse,
}

/// Deepest predicate that is written, a chain of `AND`s or `OR`s being one level: ClickHouse allows 1,000 steps of its parser,
/// of which one level takes several, the parsers of the others end somewhere above 400, and our own stack has an end too.
const DEEPEST: usize = 32;

/// Longest text of one predicate, in bytes: without `IN` a list repeats what is looked for, and lists within lists multiply.
const LONGEST: usize = 64 * 1024;

/// What an engine cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inexpressible {
    /// The part of the predicate, as printed so far or as a literal.
    pub expression: String,
    /// Why not.
    pub why: String,
}

impl Inexpressible {
    /// Puts the two together.
    pub fn new(expression: impl Into<String>, why: impl Into<String>) -> Inexpressible {
        Inexpressible { expression: expression.into(), why: why.into() }
    }
}

/// What stands for a column; an error where nothing can.
pub type Resolve<'a> = &'a dyn Fn(&str) -> Result<String, Inexpressible>;

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 3] = [Dialect::DuckDb, Dialect::Spark, Dialect::ClickHouse];

    /// As named on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::DuckDb => "duckdb",
            Dialect::Spark => "spark",
            Dialect::ClickHouse => "clickhouse",
        }
    }

    /// The predicate as an expression in parentheses.
    ///
    /// # Errors
    /// Text or numbers that the engine has no literal for, a column that nothing stands for, and what is nested too deep.
    pub fn condition(self, predicate: &Predicate, columns: Resolve<'_>) -> Result<String, Inexpressible> {
        if levels(predicate.tree()) > DEEPEST {
            let why = format!("it is nested more than {DEEPEST} deep, and parsers of engines end there");
            return Err(Inexpressible::new(predicate.text(), why));
        }
        let text = Printer { dialect: self, columns }.node(predicate.tree(), Some(Kind::Bool))?;
        Ok(if text.starts_with('(') { text } else { format!("({text})") })
    }

    /// A text as a literal.
    ///
    /// # Errors
    /// For a text with the character U+0000, which ends texts in some client of each of the engines.
    pub fn text(self, text: &str) -> Result<String, Inexpressible> {
        if text.contains('\0') {
            return Err(Inexpressible::new(
                format!("'{}'", text.replace('\0', "\\0")),
                "a text with the character U+0000",
            ));
        }
        Ok(match self {
            Dialect::DuckDb => duckdb_text(text),
            Dialect::Spark => spark_text(text),
            Dialect::ClickHouse => clickhouse_text(text),
        })
    }

    /// A name of a table or column, quoted where it has to be.
    pub fn name_of(self, name: &str) -> String {
        let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        match self {
            _ if plain => name.to_owned(),
            Dialect::DuckDb => format!("\"{}\"", name.replace('"', "\"\"")),
            Dialect::Spark => format!("`{}`", name.replace('`', "``")),
            Dialect::ClickHouse => format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`")),
        }
    }

    /// Nothing, as a value of a kind.
    pub fn null(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Dialect::ClickHouse, Kind::Bool) => "CAST(NULL AS Nullable(Bool))",
            (Dialect::ClickHouse, Kind::Number) => "CAST(NULL AS Nullable(Float64))",
            (Dialect::ClickHouse, Kind::Text) => "CAST(NULL AS Nullable(String))",
            (Dialect::DuckDb | Dialect::Spark, Kind::Bool) => "CAST(NULL AS BOOLEAN)",
            (Dialect::DuckDb | Dialect::Spark, Kind::Number) => "CAST(NULL AS DOUBLE)",
            (Dialect::DuckDb, Kind::Text) => "CAST(NULL AS VARCHAR)",
            (Dialect::Spark, Kind::Text) => "CAST(NULL AS STRING)",
        }
    }

    /// An instant, in microseconds UTC.
    pub fn instant(self, at: i64) -> String {
        let text = chrono::DateTime::from_timestamp_micros(at)
            .map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%S%.6f").to_string());
        match self {
            Dialect::DuckDb => format!("TIMESTAMPTZ '{text}+00'"),
            Dialect::Spark => format!("TIMESTAMP '{text}Z'"),
            Dialect::ClickHouse => format!("toDateTime64('{text}', 6, 'UTC')"),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What would break or reorder lines on a screen is written as a number.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn duckdb_text(text: &str) -> String {
    if !text.contains(steers) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut parts: Vec<String> = Vec::new();
    let mut plain = String::new();
    for c in text.chars() {
        if steers(c) {
            if !plain.is_empty() {
                parts.push(format!("'{}'", std::mem::take(&mut plain).replace('\'', "''")));
            }
            parts.push(format!("chr({})", u32::from(c)));
        } else {
            plain.push(c);
        }
    }
    if !plain.is_empty() {
        parts.push(format!("'{}'", plain.replace('\'', "''")));
    }
    format!("({})", parts.join(" || "))
}

fn spark_text(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            // `${…}` in a statement is a variable, even inside a text.
            '$' => out.push_str("\\u0024"),
            c if steers(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

fn clickhouse_text(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            c if steers(c) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "\\x{byte:02X}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// How deep a tree is nested as it is written.
fn levels(node: &Node) -> usize {
    match node {
        Node::Column(..) | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Null => 0,
        Node::And(left, right) => {
            let below = |one: &Node| levels(one) - usize::from(matches!(one, Node::And(..)));
            1 + below(left).max(below(right))
        }
        Node::Or(left, right) => {
            let below = |one: &Node| levels(one) - usize::from(matches!(one, Node::Or(..)));
            1 + below(left).max(below(right))
        }
        Node::Compare(_, left, right) | Node::Arithmetic(_, left, right) => 1 + levels(left).max(levels(right)),
        Node::Not(inner) | Node::IsNull(inner) => 1 + levels(inner),
        Node::In(value, items) => 1 + items.iter().map(levels).fold(levels(value), usize::max),
        Node::Between(value, low, high) => 1 + levels(value).max(levels(low)).max(levels(high)),
        Node::Coalesce(all) => 1 + all.iter().map(levels).fold(0, usize::max),
        Node::Case(arms, otherwise) => {
            1 + arms.iter().map(|(when, then)| levels(when).max(levels(then))).fold(levels(otherwise), usize::max)
        }
    }
}

/// Whole numbers up to here are exact in the integers and in the floating point of every engine.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number as a double; the exponent tells every engine that it is no decimal.
fn double(x: f64) -> Result<String, Inexpressible> {
    if x.is_finite() {
        Ok(if x.is_sign_negative() { format!("({x:e})") } else { format!("{x:e}") })
    } else {
        Err(Inexpressible::new(x.to_string(), "there is no such number in SQL"))
    }
}

struct Printer<'a> {
    dialect: Dialect,
    columns: Resolve<'a>,
}

impl Printer<'_> {
    fn node(&self, node: &Node, wanted: Option<Kind>) -> Result<String, Inexpressible> {
        let text = self.inner(node, wanted)?;
        if text.len() > LONGEST {
            let start: String = text.chars().take(60).collect();
            let why = format!("written out it is longer than {LONGEST} bytes");
            return Err(Inexpressible::new(format!("{start}…"), why));
        }
        Ok(text)
    }

    fn inner(&self, node: &Node, wanted: Option<Kind>) -> Result<String, Inexpressible> {
        Ok(match node {
            Node::Column(name, _) => (self.columns)(name)?,
            Node::Bool(true) => "TRUE".to_owned(),
            Node::Bool(false) => "FALSE".to_owned(),
            Node::Number(x) => double(*x)?,
            Node::Text(text) => self.dialect.text(text)?,
            Node::Null => self.dialect.null(wanted.unwrap_or(Kind::Bool)).to_owned(),
            Node::Compare(op, left, right) => {
                let kind = kind(left).or_else(|| kind(right));
                let (left, right) = (self.side(left, kind)?, self.side(right, kind)?);
                format!("({left} {} {right})", sign(*op))
            }
            Node::And(..) => self.chain(node, "AND")?,
            Node::Or(..) => self.chain(node, "OR")?,
            Node::Not(inner) => match inner.as_ref() {
                Node::IsNull(inner) => format!("({} IS NOT NULL)", self.node(inner, None)?),
                inner => format!("(NOT {})", self.node(inner, Some(Kind::Bool))?),
            },
            Node::IsNull(inner) => format!("({} IS NULL)", self.node(inner, None)?),
            Node::In(value, items) => self.within(value, items)?,
            Node::Between(value, low, high) => {
                let kind = kind(value).or_else(|| kind(low)).or_else(|| kind(high));
                let (low, high) = (self.side(low, kind)?, self.side(high, kind)?);
                let value = self.side(value, kind)?;
                format!("({value} >= {low} AND {value} <= {high})")
            }
            Node::Arithmetic(op, left, right) => {
                if let Some(x) = constant(node).filter(|x| !x.is_finite()) {
                    return Err(Inexpressible::new(x.to_string(), "the sum of constants is no finite number"));
                }
                let (left, right) = (self.node(left, Some(Kind::Number))?, self.node(right, Some(Kind::Number))?);
                let op = match op {
                    Arithmetic::Add => "+",
                    Arithmetic::Subtract => "-",
                    Arithmetic::Multiply => "*",
                };
                format!("({left} {op} {right})")
            }
            Node::Coalesce(all) => {
                let kind = all.iter().find_map(kind).or(wanted);
                let all = all.iter().map(|one| self.node(one, kind)).collect::<Result<Vec<_>, _>>()?;
                format!("COALESCE({})", all.join(", "))
            }
            Node::Case(arms, otherwise) => {
                let kind = arms.iter().find_map(|arm| kind(&arm.1)).or_else(|| kind(otherwise)).or(wanted);
                let mut out = "(CASE".to_owned();
                for (condition, result) in arms {
                    let (condition, result) = (self.node(condition, Some(Kind::Bool))?, self.node(result, kind)?);
                    let _ = write!(out, " WHEN {condition} THEN {result}");
                }
                let _ = write!(out, " ELSE {} END)", self.node(otherwise, kind)?);
                out
            }
        })
    }

    /// One side of a comparison, where a whole number may look like one.
    fn side(&self, node: &Node, kind: Option<Kind>) -> Result<String, Inexpressible> {
        match node {
            Node::Number(x) if x.fract() == 0.0 && (0.0..EXACT).contains(x) => Ok(format!("{x:.0}")),
            node => self.node(node, kind),
        }
    }

    /// `a AND b AND c` on one level: what a parser counts is depth.
    fn chain(&self, node: &Node, word: &str) -> Result<String, Inexpressible> {
        let mut parts = Vec::new();
        let mut rest = vec![node];
        while let Some(node) = rest.pop() {
            match (node, word) {
                (Node::And(left, right), "AND") | (Node::Or(left, right), "OR") => {
                    rest.push(right);
                    rest.push(left);
                }
                (other, _) => parts.push(self.node(other, Some(Kind::Bool))?),
            }
        }
        Ok(format!("({})", parts.join(&format!(" {word} "))))
    }

    fn within(&self, value: &Node, items: &[Node]) -> Result<String, Inexpressible> {
        let kind = kind(value).or_else(|| items.iter().find_map(kind));
        let (value, items) =
            (self.side(value, kind)?, items.iter().map(|item| self.side(item, kind)).collect::<Result<Vec<_>, _>>()?);
        Ok(match self.dialect {
            Dialect::DuckDb | Dialect::Spark => format!("({value} IN ({}))", items.join(", ")),
            // There `NULL IN (1)` is false, and a NULL in the list is passed over.
            Dialect::ClickHouse => {
                format!("({})", items.iter().map(|item| format!("{value} = {item}")).collect::<Vec<_>>().join(" OR "))
            }
        })
    }
}

fn sign(op: Comparison) -> &'static str {
    match op {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

/// What kind of value a node has; null for NULL and what is made of it alone.
fn kind(node: &Node) -> Option<Kind> {
    match node {
        Node::Column(_, kind) => Some(*kind),
        Node::Number(_) | Node::Arithmetic(..) => Some(Kind::Number),
        Node::Text(_) => Some(Kind::Text),
        Node::Null => None,
        Node::Coalesce(all) => all.iter().find_map(kind),
        Node::Case(arms, otherwise) => arms.iter().find_map(|arm| kind(&arm.1)).or_else(|| kind(otherwise)),
        Node::Bool(_)
        | Node::Compare(..)
        | Node::And(..)
        | Node::Or(..)
        | Node::Not(_)
        | Node::IsNull(_)
        | Node::In(..)
        | Node::Between(..) => Some(Kind::Bool),
    }
}

/// The value of arithmetic over literals; null where a column takes part.
fn constant(node: &Node) -> Option<f64> {
    match node {
        Node::Number(x) => Some(*x),
        Node::Arithmetic(op, left, right) => {
            let (left, right) = (constant(left)?, constant(right)?);
            Some(match op {
                Arithmetic::Add => left + right,
                Arithmetic::Subtract => left - right,
                Arithmetic::Multiply => left * right,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::predicate::Names;

    struct Few;

    impl Names for Few {
        fn kind(&self, name: &str) -> Option<Kind> {
            match name {
                "known" => Some(Kind::Bool),
                "days" => Some(Kind::Number),
                "tier" => Some(Kind::Text),
                _ => None,
            }
        }
        fn policy(&self, name: &str) -> Option<f64> {
            (name == "limit").then_some(90.0)
        }
        fn all(&self) -> Vec<String> {
            Vec::new()
        }
    }

    fn told(dialect: Dialect, text: &str) -> Result<String, Inexpressible> {
        let predicate = Predicate::compile(text, &Few).unwrap_or_else(|e| panic!("{text}: {e}"));
        dialect.condition(&predicate, &|name| Ok(name.to_owned()))
    }

    #[test]
    fn a_predicate_reads_as_it_did() {
        for dialect in [Dialect::DuckDb, Dialect::Spark] {
            let told = |text| told(dialect, text).expect("it can be said");
            assert_eq!(
                told("days > :limit AND known AND NOT tier IN ('a', 'b')"),
                "((days > 90) AND known AND (NOT (tier IN ('a', 'b'))))"
            );
            assert_eq!(told("days BETWEEN 0.5 AND 2"), "(days >= 5e-1 AND days <= 2)");
            assert_eq!(told("COALESCE(known, NULL)"), "(COALESCE(known, CAST(NULL AS BOOLEAN)))");
            assert_eq!(told("known"), "(known)");
            assert_eq!(told("tier IS NOT NULL"), "(tier IS NOT NULL)");
        }
        let told = |text| told(Dialect::ClickHouse, text).expect("it can be said");
        assert_eq!(told("tier IN ('a', NULL)"), "(tier = 'a' OR tier = CAST(NULL AS Nullable(String)))");
        assert_eq!(told("days * 2 > 3"), "((days * 2e0) > 3)");
        assert_eq!(
            told("CASE WHEN days <= 1 THEN TRUE WHEN known THEN FALSE END"),
            "(CASE WHEN (days <= 1) THEN TRUE WHEN known THEN FALSE ELSE CAST(NULL AS Nullable(Bool)) END)"
        );
    }

    #[test]
    fn no_text_ends_early() {
        let text = "it's \\ ${x}\n\u{202e}名";
        assert_eq!(Dialect::DuckDb.text(text).as_deref(), Ok("('it''s \\ ${x}' || chr(10) || chr(8238) || '名')"));
        assert_eq!(Dialect::Spark.text(text).as_deref(), Ok("'it\\'s \\\\ \\u0024{x}\\u000a\\u202e名'"));
        assert_eq!(Dialect::ClickHouse.text(text).as_deref(), Ok("'it\\'s \\\\ ${x}\\x0A\\xE2\\x80\\xAE名'"));
        for dialect in Dialect::ALL {
            assert!(dialect.text("a\0").is_err());
        }
    }

    #[test]
    fn what_cannot_be_said_says_why() {
        let numbers = told(Dialect::DuckDb, &format!("days < {} * 10", "9".repeat(308))).expect_err("infinite");
        assert!(numbers.why.contains("finite"), "{numbers:?}");
        for dialect in Dialect::ALL {
            // A sum of 21 is nested 20 deep, a chain of 60 only once.
            assert!(told(dialect, &format!("days{} > 0", " + days".repeat(20))).is_ok());
            assert!(told(dialect, &format!("known{}", " OR known".repeat(60))).is_ok());
            let deep = told(dialect, &format!("days{} > 0", " + days".repeat(60))).expect_err("deep");
            assert!(deep.why.contains("nested"), "{deep:?}");
        }
        let mut lists = "days".to_owned();
        for _ in 0..9 {
            lists = format!("COALESCE(CASE WHEN {lists} IN (1, 2, 3) THEN 1 END, 2)");
        }
        assert!(told(Dialect::ClickHouse, &format!("{lists} = 1")).expect_err("long").why.contains("longer"));
        assert!(told(Dialect::Spark, &format!("{lists} = 1")).is_ok());
    }
}
