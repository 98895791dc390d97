//! Exports from the simulator: what is written, what is told, and how many requests it takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::Parser as _;
use serde::Deserialize as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::cli::{Cli, Command};
use crate::remote::{Credentials, Endpoints, PlainHttp, Proof};
use crate::simulator::{DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, Simulator, World, serve};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A simulator, and a directory to export to.
struct Stage {
    base: String,
    remote: Remote,
    directory: PathBuf,
    told: Mutex<Vec<String>>,
}

impl Stage {
    async fn start(world: World) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, Simulator::new(world)));
        let sign_in = Borrowed(Credentials {
            partner_tenant: "aaaa0000-2222-4b22-9b22-000000000002".parse().unwrap(),
            client_id: "11112222-3333-4444-8555-666677778888".to_owned(),
            proof: Proof::Secret(DEFAULT_CLIENT_SECRET.into()),
            refresh_token: DEFAULT_REFRESH_TOKEN.into(),
            generation: String::new(),
        });
        let endpoints = Endpoints::parse(&base, &base, &base, &base, PlainHttp::ToLoopback).unwrap();
        let calls = Allowance::per_minute(60_000.try_into().unwrap());
        let limits =
            Limits { partner_center_calls: calls, retry_delay_min: Duration::from_millis(1), ..Limits::default() };
        let remote = Remote::new(&endpoints, limits, Arc::new(sign_in), Arc::new(Unfenced), Calls::default()).unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("csp-exported-{}-{number}", std::process::id()));
        Self { base, remote, directory, told: Mutex::default() }
    }

    async fn fault(&self, operation: &str, customer: &str, times: Option<u32>, answer: Value) {
        let mut fault = json!({ "operation": operation, "customer": customer, "times": times, "answer": answer });
        fault.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let request = reqwest::Client::new().post(format!("{}/simulator/faults", self.base)).json(&fault);
        assert!(request.send().await.unwrap().status().is_success(), "{fault}");
    }

    /// Requests by operation.
    async fn counts(&self) -> BTreeMap<String, u64> {
        let counts = reqwest::get(format!("{}/simulator/requests/counts", self.base)).await.unwrap();
        let counts: BTreeMap<String, Value> = counts.json().await.unwrap();
        let total = |count: Value| count["total"].as_u64().unwrap_or_default();
        counts.into_iter().map(|(name, count)| (name, total(count))).filter(|(_, count)| *count > 0).collect()
    }

    async fn export(&self, options: &[&str]) -> Result<(), ExportError> {
        let Command::Export(args) = Cli::parse_from([&["kubectl-csp", "export"], options].concat()).command else {
            panic!("another command")
        };
        let destination = Destination::open(Some(&self.directory), args.force).unwrap();
        let tell = |text: &str| self.told.lock().unwrap().push(text.to_owned());
        export(&self.remote.partner_center, &args, &destination, &tell).await
    }

    /// The documents of each manifest.
    fn files(&self) -> BTreeMap<String, Vec<Value>> {
        fs::read_dir(&self.directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with("allowed-customers.txt"))
            .map(|path| {
                let text = fs::read_to_string(&path).unwrap();
                let documents = serde_yaml::Deserializer::from_str(&text).map(|one| Value::deserialize(one).unwrap());
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, documents.filter(|one| !one.is_null()).collect())
            })
            .collect()
    }

    fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }

    /// The tenants of `allowed-customers.txt`.
    fn list(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("allowed-customers.txt")).unwrap();
        text.trim().split(',').map(str::to_owned).collect()
    }

    fn told(&self) -> String {
        self.told.lock().unwrap().join("\n")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn tenant(index: u32) -> String {
    format!("c0000000-0000-4000-8000-{index:012x}")
}

const WORLD: &str = "
customers:
  - tenantId: c1a0c1a0-1111-4a11-8a11-000000000001
    name: Fabrikam
    permissions: [AzureReservedInstances]
    subscriptions:
      - id: b0000000-0000-4000-8000-000000000001
        kind: AzurePlan
        azureSubscriptions:
          - {id: a2000000-0000-4000-8000-000000000001}
          - {id: a1000000-0000-4000-8000-000000000001}
          - {id: a3000000-0000-4000-8000-000000000001, status: inactive}
      - {id: b0000000-0000-4000-8000-000000000009, kind: License}
  - tenantId: c1a0c1a0-1111-4a11-8a11-000000000002
    name: FABRIKAM
    subscriptions:
      - id: b0000000-0000-4000-8000-000000000002
        kind: AzureGlobal
        azureSubscriptions: [{id: a0000000-0000-4000-8000-000000000002}]
  - tenantId: c1a0c1a0-1111-4a11-8a11-000000000003
    name: Woodgrove Bank
    permissions: [AzureReservedInstances, AzureSavingsPlan]
    subscriptions:
      - id: b0000000-0000-4000-8000-000000000003
        kind: AzurePlan
        status: suspended
        azureSubscriptions: [{id: a0000000-0000-4000-8000-000000000003}]
  - {tenantId: c1a0c1a0-1111-4a11-8a11-000000000004, name: Adviced, relationship: advisor}
";

#[tokio::test]
async fn every_customer_is_written_as_partner_center_has_it() {
    let stage = Stage::start(World::from_yaml(WORLD).unwrap()).await;
    stage.export(&["--namespace", "customers"]).await.unwrap();
    let files = stage.files();
    assert_eq!(files.len(), 3);
    let of = |tenant: u32| {
        let is_it = |documents: &&Vec<Value>| {
            documents[0]["spec"]["tenantId"] == format!("c1a0c1a0-1111-4a11-8a11-{tenant:012x}")
        };
        files.values().find(is_it).unwrap()
    };
    let subscriptions = |tenant| -> Vec<_> {
        let ids = of(tenant).iter().filter_map(|document| document["spec"]["subscriptionId"].as_str());
        ids.map(|id| id[..2].to_owned()).collect()
    };
    let wished = |tenant| {
        let spec = &of(tenant).last().unwrap()["spec"];
        let fields = ["azureReservations", "azureSavingsPlans", "mode"];
        fields.map(|field| spec[field].as_str().unwrap().to_owned())
    };
    assert_eq!((subscriptions(1), subscriptions(2)), (vec!["a1".into(), "a2".into()], vec!["a0".to_owned()]));
    assert_eq!(subscriptions(3), Vec::<String>::new(), "a plan that is suspended");
    assert_eq!(wished(1), ["Allow", "Deny", "Observe"]);
    assert_eq!(wished(2), ["Deny", "Deny", "Observe"]);
    assert_eq!(wished(3), ["Unmanaged", "Unmanaged", "Observe"]);
    assert!(files.values().flatten().all(|document| document["metadata"]["namespace"] == "customers"));
    let names = stage.names();
    assert!(names.contains(&"woodgrove-bank.yaml".to_owned()), "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("fabrikam-")).count(), 2, "{names:?}");
    assert!(stage.told().contains("1 customers are left out: the partner has another relationship"));

    // One alone is called the same, and what is there already is found to be right.
    stage
        .export(&["C1A0C1A0-1111-4a11-8a11-000000000001", "woodgrovebank.onmicrosoft.com", "-n", "customers"])
        .await
        .unwrap();
    assert_eq!(stage.names(), names);
    // The list goes on to have everybody whose manifests are in the directory.
    let all = [of(1), of(2), of(3)].map(|documents| documents[0]["spec"]["tenantId"].as_str().unwrap());
    let mut listed = stage.list();
    let command = format!("namespace customers csp-operator.dev/allowed-customers={}", listed.join(","));
    listed.sort();
    assert_eq!(listed, all);
    assert!(stage.told().ends_with(&command), "{}", stage.told());
    let error = stage.export(&["contoso.com"]).await.unwrap_err().to_string();
    assert!(error.contains("Partner Center lists no customer \"contoso.com\""), "{error}");
}

#[tokio::test]
async fn one_that_cannot_be_read_is_told_and_all_others_are_written() {
    let stage = Stage::start(World::generated(30)).await;
    let forbidden = json!({ "kind": "status", "status": 403 });
    stage.fault("list_subscriptions", &tenant(3), None, forbidden).await;
    // These pass.
    stage
        .fault(
            "list_self_serve_policies",
            &tenant(4),
            Some(1),
            json!({ "kind": "status", "status": 429, "retryAfter": "1" }),
        )
        .await;
    stage.fault("list_azure_entitlements", &tenant(5), Some(3), json!({ "kind": "status", "status": 500 })).await;
    let error = stage.export(&[]).await.unwrap_err().to_string();
    assert_eq!(error, "1 of 30 customers could not be exported, for the reasons above; 29 were");
    let told = stage.told();
    let sentence = format!("contoso-customer-3 is left out: Cannot read the subscriptions of customer {}", tenant(3));
    assert!(told.contains(&sentence), "{told}");
    let names = stage.names();
    assert_eq!(names.len(), 29);
    assert!(!names.contains(&"contoso-customer-3.yaml".to_owned()), "{names:?}");
    // The others can be applied, and so are listed.
    let list = stage.list();
    assert!(list.len() == 29 && !list.contains(&tenant(3)), "{list:?}");
    assert!(told.lines().last().unwrap().contains("for these 29: kubectl annotate namespace"), "{told}");

    // Later on it has a file, which a person has edited: it stays on the list when it cannot be read.
    fs::write(stage.directory.join("contoso-customer-3.yaml"), format!("tenantId: {}\n", tenant(3).to_uppercase()))
        .unwrap();
    // And so do all others, whatever has become of theirs: here of 21 in a row, in the order of their names.
    for index in [2].into_iter().chain(5..30) {
        let file = stage.directory.join(format!("contoso-customer-{index}.yaml"));
        let text = fs::read_to_string(&file).unwrap().replace("mode: Observe", "mode: Enforce");
        fs::write(file, text).unwrap();
    }
    let error = stage.export(&[]).await.unwrap_err().to_string();
    assert_eq!(error, "27 of 30 customers could not be exported, for the reasons above; 3 were");
    assert_eq!(stage.list().len(), 30);
}

#[tokio::test]
async fn many_that_cannot_be_read_among_others_that_can_do_not_end_it() {
    let stage = Stage::start(World::generated(3 * 22)).await;
    let forbidden = json!({ "kind": "status", "status": 403 });
    for index in (0..22).map(|index| 3 * index) {
        stage.fault("list_subscriptions", &tenant(index), None, forbidden.clone()).await;
    }
    let error = stage.export(&[]).await.unwrap_err().to_string();
    assert_eq!(error, "22 of 66 customers could not be exported, for the reasons above; 44 were");
    assert_eq!((stage.names().len(), stage.list().len()), (44, 44));
}

#[tokio::test]
async fn what_could_not_be_written_counts_as_not_exported() {
    let stage = Stage::start(World::generated(3)).await;
    let edited = stage.directory.join("contoso-customer-1.yaml");
    fs::create_dir_all(&stage.directory).unwrap();
    fs::write(&edited, "kind: Edited\n").unwrap();
    // A file of that name that is about somebody else lists nobody.
    fs::write(stage.directory.join("contoso-customer-2.yaml"), format!("tenantId: {}\n", tenant(2))).unwrap();
    let error = stage.export(&[]).await.unwrap_err().to_string();
    assert_eq!(error, "2 of 3 customers could not be exported, for the reasons above; 1 were");
    let listed = format!("allowed-customers={},{}", tenant(0), tenant(2));
    assert!(stage.told().ends_with(&listed), "{}", stage.told());
    assert_eq!(stage.list(), [tenant(0), tenant(2)]);
    let sentence = format!("contoso-customer-1 is left out: {} exists and says something else", edited.display());
    assert!(stage.told().contains(&sentence), "{}", stage.told());
    assert_eq!((fs::read_to_string(edited).unwrap().as_str(), stage.names().len()), ("kind: Edited\n", 3));
}

#[tokio::test]
async fn customers_are_listed_by_the_page_and_those_without_a_policy_cost_one_request_each() {
    let world = World::generated(1_203);
    let stage = Stage::start(world).await;
    for index in [7, 1_100] {
        let body = json!({ "permissions": [{ "resource": "AzureSavingsPlan", "action": "Purchase" }] });
        let url = format!("{}/simulator/customers/{}/policy", stage.base, tenant(index));
        assert!(reqwest::Client::new().put(url).json(&body).send().await.unwrap().status().is_success());
    }
    stage.export(&["--only-with-policy"]).await.unwrap();
    assert_eq!(stage.names(), ["contoso-customer-1100.yaml", "contoso-customer-7.yaml"]);
    let told = stage.told();
    assert!(told.contains("2 customers exported; 1201 have no purchase permissions"), "{told}");
    let command = "kubectl annotate namespace NAMESPACE csp-operator.dev/allowed-customers";
    // Only those that were written, in the order of their names.
    assert!(told.ends_with(&format!("{command}={},{}", tenant(1_100), tenant(7))), "{told}");
    let expected = [
        ("list_azure_entitlements", 2),
        ("list_customers", 3),
        ("list_self_serve_policies", 1_203),
        ("list_subscriptions", 2),
    ];
    let mut counts = stage.counts().await;
    counts.retain(|operation, _| operation.starts_with("list_"));
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[tokio::test]
async fn what_is_refused_for_everybody_is_not_asked_for_everybody() {
    let stage = Stage::start(World::generated(100)).await;
    let fault = json!({ "operation": "list_self_serve_policies", "answer": { "kind": "status", "status": 403 } });
    let request = reqwest::Client::new().post(format!("{}/simulator/faults", stage.base)).json(&fault);
    assert!(request.send().await.unwrap().status().is_success());
    let error = stage.export(&[]).await.unwrap_err().to_string();
    assert_eq!(error, "stopped after 20 customers in a row could not be exported; 0 of 100 were");
    let asked = stage.counts().await["list_self_serve_policies"];
    assert!((20..=20 + 8).contains(&asked), "{asked}");
    assert!(stage.files().is_empty());
}
