//! How a list is printed.

use clap::ValueEnum;

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns, for people.
    Table,
    /// One JSON list.
    Json,
    /// One YAML list.
    Yaml,
}
