//! What may be chosen.

// The comments on options are what --help prints, and a terminal shows backticks as they are.
#![allow(clippy::doc_markdown)]

use std::path::PathBuf;

use clap::Parser;

/// Measures the operator on a real API server, with as many permissions as are asked for.
///
/// Ends with a failure if it asks or writes more than it promises. How long anything takes is only reported.
#[derive(Debug, Clone, Parser)]
#[command(name = "fleet", max_term_width = 110)]
pub(crate) struct Options {
    /// How many permissions, each with a Customer and an AzureSubscription of its own.
    #[arg(long, env = "BENCH_OBJECTS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) objects: u32,

    /// How long Partner Center, Entra and Azure take to answer, in milliseconds.
    #[arg(long, env = "BENCH_LATENCY_MS", default_value_t = 50, value_name = "MS")]
    pub(crate) latency_ms: u32,

    /// How many objects the operator may reconcile at the same time; its own default unless given.
    #[arg(long, env = "BENCH_CONCURRENCY", value_name = "COUNT")]
    pub(crate) concurrency: Option<u16>,

    /// The operator to measure instead of the one that was built with this benchmark.
    #[arg(long, env = "BENCH_OPERATOR", value_name = "PROGRAM", default_value = env!("CARGO_BIN_EXE_csp-operator"))]
    pub(crate) operator: PathBuf,

    /// Where to keep the operator's log.
    #[arg(long, env = "BENCH_LOG", value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,

    /// Said by cargo bench to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}
