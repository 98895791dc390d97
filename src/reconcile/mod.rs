//! The shell around the planner: observe, plan, execute, report.
//!
//! Lives here: the watches, the inventory of facts, the activity feed, one generic `driver` and one small file per
//! kind. The process starts it with [`run`], once it leads.
//!
//! Never found here: a decision. What is written, what is shown and when to look again comes from [`crate::plan`]; here
//! it is only carried out, and random ids are drawn.

mod backoff;
mod brake;
mod context;
mod customer;
mod decision;
mod driver;
mod error;
mod events;
mod feed;
mod grant;
mod index;
mod inventory;
mod ledger;
mod metrics;
mod namespaces;
mod objects;
mod orders;
mod outage;
mod partner;
mod past;
mod patches;
mod permission;
mod permits;
mod permitted;
pub mod preview;
mod purchases;
mod reading;
mod references;
mod run;
mod sight;
mod slots;
mod subscription;
mod trace;
mod wake;
mod watch;
mod watermark;
mod wishes;

pub use error::{Error, SetupError};
pub use metrics::Metrics;
pub use run::{Settings, run};
