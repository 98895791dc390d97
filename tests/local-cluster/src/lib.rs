//! A real Kubernetes control plane on this machine: etcd, kube-apiserver and kube-controller-manager as plain
//! processes on loopback, with kubectl to talk to them. No Docker, no root, no kubelet (so no pod ever runs).
//!
//! ```no_run
//! use local_cluster::{ControlPlane, Options};
//!
//! let cluster = ControlPlane::start(&Options::named("example"))?;
//! cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")?;
//! assert!(cluster.kubectl_output(&["get", "namespaces"])?.contains("shop"));
//! # Ok::<(), local_cluster::Error>(())
//! ```
//!
//! Where things are:
//!
//! * [`assets`] finds the binaries, or builds them from this crate's `go.mod`;
//! * [`ControlPlane`] starts them, waits until they are usable, and stops them;
//! * [`Process`] is a child that cannot outlive its parent, for the operator and the simulator under test too;
//! * [`audit`] counts the requests the API server was sent, by whom, from its audit log.
//!
//! Never found here: anything that knows of csp-operator's kinds, and any address other than loopback.

pub mod assets;
pub mod audit;
mod components;
mod control_plane;
mod directory;
mod error;
mod kubeconfig;
mod ports;
mod process;
mod progress;
mod watchdog;

pub use assets::Assets;
pub use control_plane::{ControlPlane, Options, run};
pub use error::Error;
pub use process::Process;
