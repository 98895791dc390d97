//! scratch
use stage::*;
fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let programs = Programs::beside(&std::env::current_exe().unwrap()).unwrap();
    let mut stage = Stage::start("scratch", &programs, &World::Customers(3)).unwrap();
    stage.operator.start(&[]).unwrap();
    println!(
        "KUBECONFIG={} SIM={} LOG={}",
        stage.cluster.kubeconfig().display(),
        stage.simulator.url(),
        stage.operator.log_path().display()
    );
    std::thread::sleep(std::time::Duration::from_secs(3600));
}
