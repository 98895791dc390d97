//! Microsoft's own Go libraries against the simulator: `tests/microsoft-clients/`.

use std::path::Path;
use std::process::Command;

use csp_operator::simulator::{Simulator, Tls, World, serve_tls};
use tokio::net::TcpListener;

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/microsoft-clients");

/// The partner with an application that may sign users in without a secret, as the libraries do for device codes, and one
/// customer with a subscription and its Owner.
const WORLD: &str = "
partner:
  application: { allowPublicClientFlows: true }
customers:
- tenantId: c0000000-0000-4000-8000-000000000000
  name: Fabrikam
  users:
  - { upn: ada@fabrikam.onmicrosoft.com, objectId: d0000000-0000-4000-8000-000000000000 }
  subscriptions:
  - id: b0000000-0000-4000-8000-000000000000
    kind: AzurePlan
    azureSubscriptions:
    - id: a0000000-0000-4000-8000-000000000000
      name: Microsoft Azure
      roleAssignments:
      - { principalId: d0000000-0000-4000-8000-000000000000, role: Owner }
";

/// Runs the Go tests; an error is what they said.
fn run_go_tests(address: &str, authority: &Path) -> Result<(), String> {
    let output = Command::new("go")
        // Not from go's cache: the simulator that they speak to is another one each time.
        .args(["test", "-count=1", "./..."])
        .current_dir(MODULE)
        .env("CSP_SIMULATOR", address)
        .env("CSP_SIMULATOR_CA", authority)
        .output()
        .map_err(|error| format!("cannot run go, which is needed to build Microsoft's libraries: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn microsofts_go_libraries_are_served_unchanged() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    // By name: Microsoft's libraries want a name in the certificate.
    let address = format!("https://localhost:{}", listener.local_addr().expect("its address").port());
    let tls = Tls::generate(&[]).expect("certificates");
    let authority = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ca-{}.pem", std::process::id()));
    std::fs::write(&authority, tls.authority_pem()).expect("written");
    let world = World::from_yaml(WORLD).expect("a world");
    tokio::spawn(async move { serve_tls(listener, Simulator::new(world), &tls).await });
    let file = authority.clone();
    let outcome = tokio::task::spawn_blocking(move || run_go_tests(&address, &file)).await.expect("no panic");
    std::fs::remove_file(authority).expect("removed");
    if let Err(said) = outcome {
        panic!("{said}");
    }
}
