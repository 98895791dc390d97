//! A real Kubernetes control plane on this machine: etcd, kube-apiserver and kube-controller-manager as plain
//! processes on loopback, with kubectl to talk to them. No Docker, no root, no kubelet (so no pod ever runs).

pub mod assets;
mod directory;
mod error;
mod process;
mod progress;
mod watchdog;

pub use assets::Assets;
pub use error::Error;
pub use process::Process;
