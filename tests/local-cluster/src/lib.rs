//! A real Kubernetes control plane on this machine: etcd, kube-apiserver and kube-controller-manager as plain
//! processes on loopback, with kubectl to talk to them. No Docker, no root, no kubelet (so no pod ever runs).

mod directory;
mod error;
mod process;
mod watchdog;

pub use error::Error;
pub use process::Process;
