//! What outlives what.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use local_cluster::{ControlPlane, Error, Options};
use rustix::process::{Pid, test_kill_process};

use crate::eventually;

fn exists(pid: u32) -> bool {
    test_kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()).is_ok()
}

/// The processes with this directory in their command line, as `ps` prints them.
fn processes_of(directory: &Path) -> Vec<String> {
    let ps = Command::new("ps").args(["-A", "-ww", "-o", "pid=,command="]).output().unwrap();
    let directory = directory.to_str().unwrap();
    String::from_utf8_lossy(&ps.stdout).lines().filter(|line| line.contains(directory)).map(str::to_owned).collect()
}

#[test]
fn a_restart_keeps_data_and_tokens_and_a_panic_leaves_nothing_behind() {
    let mut cluster = ControlPlane::start(&Options::named("restart")).unwrap();
    cluster.kubectl_output(&["create", "configmap", "kept", "--from-literal=key=value"]).unwrap();
    let account = cluster.service_account_kubeconfig("default", "default").unwrap();
    let whoami = |cluster: &ControlPlane| {
        let kubeconfig = format!("--kubeconfig={}", account.display());
        cluster.kubectl_output(&["auth", "whoami", "--output=jsonpath={.status.userInfo.username}", &kubeconfig])
    };
    let (server, before) = (cluster.server(), cluster.pids());

    cluster.stop_apiserver().unwrap();
    assert!(TcpStream::connect(server.trim_start_matches("https://")).is_err(), "something still listens");
    let error = cluster.kubectl_output(&["get", "configmaps"]).unwrap_err();
    assert!(matches!(&error, Error::Kubectl { stderr, .. } if stderr.contains("refused")), "{error}");

    cluster.start_apiserver().unwrap();
    assert_eq!(cluster.server(), server);
    assert_ne!(cluster.pids(), before);
    let kept = cluster.kubectl_output(&["get", "configmap", "kept", "--output=jsonpath={.data.key}"]).unwrap();
    assert_eq!(kept, "value");
    assert_eq!(whoami(&cluster).unwrap(), "system:serviceaccount:default:default");

    let (pids, directory) = (cluster.pids(), cluster.directory().to_owned());
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().copied().all(exists));
    let panicked = thread::spawn(move || {
        let _cluster = cluster;
        panic!("as a failing test does");
    });
    assert!(panicked.join().is_err());
    assert_eq!(pids.into_iter().filter(|pid| exists(*pid)).count(), 0, "a component outlived its control plane");
    assert!(!directory.exists(), "the directory was left behind");
}

#[test]
fn nothing_outlives_a_killed_parent_and_nothing_heeds_its_environment() {
    let mut parent = Command::new(env!("CARGO_BIN_EXE_local-cluster"))
        .arg("run")
        .env("KUBECONFIG", "/nowhere")
        .env("HOME", "/nowhere")
        .env("ETCD_NAME", "another")
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let kubeconfig = line.trim().strip_prefix("export KUBECONFIG='").and_then(|rest| rest.strip_suffix('\'')).unwrap();
    let directory = Path::new(kubeconfig).parent().unwrap();
    assert_eq!(processes_of(directory).len(), 3, "{:#?}", processes_of(directory));

    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("every component is gone", || processes_of(directory).is_empty());
    eventually("the directory is gone", || !directory.exists());
}
