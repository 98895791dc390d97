//! The process around the reconciler.
//!
//! Lives here: the command line and its checks, log lines, health and metrics, the lease that decides which replica
//! acts, the Secrets that the partner's sign-in is kept in, starting and stopping. `main` comes in by [`Cli`],
//! [`Settings`], [`run`] and [`crd_files`]; the reconciler gets a [`Leading`] and knows nothing else of this.
//!
//! Never found here: Partner Center, the planner, or any decision about a customer. Nothing below this module knows of
//! command lines, environment variables or signals.

pub mod args;
mod boot_clock;
mod call;
mod cluster;
mod controllers;
pub mod crd_files;
mod credentials;
mod health;
mod lease;
mod metrics;
pub mod probe;
mod process;
mod reference;
mod settings;
mod shutdown;
mod telemetry;
#[cfg(test)]
mod test_api;
mod traces;
pub mod version;

pub use args::{Cli, Command, LogFormat};
pub use call::{Call, CallError};
pub use cluster::ClusterError;
pub use controllers::controllers;
pub(crate) use credentials::{
    Defect as CredentialsDefect, borrow as borrow_sign_in, keys as sign_in_keys, out_of_date as proof_out_of_date,
    stored_proof,
};
pub use health::{Check, HealthError, Readiness, Standing};
pub use lease::LostLease;
pub use metrics::Metrics;
pub use process::{ControllersError, Leading, ProcessError, run};
pub(crate) use settings::extra_roots;
pub use settings::{Settings, SettingsError, Surroundings};
pub use shutdown::Shutdown;
pub use telemetry::{Chain, TelemetryError};
pub use traces::TracesError;
