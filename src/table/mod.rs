//! The canonical tables: their columns and what may stand in them, nothing else.
//!
//! One file a table. The order of [`Table::ALL`] is the order of recognition: a file is the first table whose required
//! columns are all there.

pub mod account;
pub mod credential;
pub mod event;
pub mod person;
pub mod ticket;
pub mod workload;

/// A canonical table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// One record that concerns access.
    Event,
    /// HR roster, one row an employment period.
    Person,
    /// Register of non-human identities.
    Workload,
    /// Inventory, one row a credential.
    Credential,
    /// Directory export, one row an account in one system.
    Account,
    /// Approvals.
    Ticket,
}

/// Who reads: columns and actions that only a hunt looks at cost an audit nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// What facts are computed from.
    Audit,
    /// That, and the trail: devices, sessions, contacts, what was granted.
    Hunt,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text, compared exactly.
    Text,
    /// A name of an identity, compared folded.
    Alias,
    /// Text that is folded when read: `system`.
    Folded,
    /// Texts separated by `;`, compared folded and in order.
    List,
    /// true/false/1/0/yes/no.
    Bool,
    /// An instant, microseconds UTC.
    Instant,
    /// A date or an instant.
    On,
    /// One of these; one that is not among them becomes `unknown` where the list has that, else the row is rejected.
    Enum(&'static [&'static str]),
}

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its header.
    pub name: &'static str,
    /// What stands in it.
    pub ty: Type,
    /// Must every row have it?
    pub required: bool,
    /// Meaning.
    pub doc: &'static str,
}

/// Declares the columns of a table in order, and a constant with the position of each.
macro_rules! columns {
    ($($constant:ident $name:literal $required:ident $ty:expr, $doc:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "only numbers the columns")]
        enum Position { $($constant),* }
        $(#[doc = $doc] pub const $constant: usize = Position::$constant as usize;)*
        /// The columns, in table order.
        pub const COLUMNS: &[$crate::table::Column] = &[
            $($crate::table::Column { name: $name, ty: $ty, required: $crate::table::is_required!($required), doc: $doc }),*
        ];
    };
}
macro_rules! is_required {
    (required) => {
        true
    };
    (optional) => {
        false
    };
}
pub(crate) use {columns, is_required};

impl Table {
    /// Every table, in the order of recognition.
    pub const ALL: [Table; 6] =
        [Table::Event, Table::Person, Table::Workload, Table::Credential, Table::Account, Table::Ticket];

    /// Its name, as in the config and in file headers' documentation.
    pub fn name(self) -> &'static str {
        match self {
            Table::Event => "event",
            Table::Person => "person",
            Table::Workload => "workload",
            Table::Credential => "credential",
            Table::Account => "account",
            Table::Ticket => "ticket",
        }
    }

    /// The table of that name.
    pub fn named(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|t| t.name() == name)
    }

    /// Its columns, in table order.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Table::Event => event::COLUMNS,
            Table::Person => person::COLUMNS,
            Table::Workload => workload::COLUMNS,
            Table::Credential => credential::COLUMNS,
            Table::Account => account::COLUMNS,
            Table::Ticket => ticket::COLUMNS,
        }
    }

    /// The position of a column; null when the table has none of that name.
    pub fn column(self, name: &str) -> Option<usize> {
        self.columns().iter().position(|c| c.name == name)
    }

    /// The position of a column that is read at this breadth; null for others.
    pub fn column_at(self, breadth: Breadth, name: &str) -> Option<usize> {
        self.column(name).filter(|&column| self.reads(breadth, column))
    }

    /// Is the column read at this breadth?
    pub fn reads(self, breadth: Breadth, column: usize) -> bool {
        breadth == Breadth::Hunt || self != Table::Event || column < event::FIRST_OF_TRAIL
    }

    /// The first table whose required columns are all among `names` (folded).
    pub fn recognise<S: AsRef<str>>(names: &[S]) -> Option<Table> {
        Table::ALL.into_iter().find(|t| t.missing(names).is_empty())
    }

    /// Required columns that are not among `names`.
    pub fn missing<S: AsRef<str>>(self, names: &[S]) -> Vec<&'static str> {
        let has = |c: &Column| names.iter().any(|n| n.as_ref() == c.name);
        self.columns().iter().filter(|c| c.required && !has(c)).map(|c| c.name).collect()
    }

    /// The column whose instants say which period an input covers.
    pub fn clock(self) -> Option<usize> {
        match self {
            Table::Event => Some(event::OCCURRED_AT),
            Table::Credential => Some(credential::OBSERVED_AT),
            Table::Account => Some(account::OBSERVED_AT),
            Table::Ticket => Some(ticket::DECIDED_AT),
            Table::Person | Table::Workload => None,
        }
    }
}
