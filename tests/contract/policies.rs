//! The life of a policy. Writes: the customer may buy reservations for as long as it runs, some seconds.

use std::time::Duration;

use futures::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::target::{Answer, Target, expect_refusal, expect_status};
use crate::{Contract, Outcome};

pub(crate) const CONTRACTS: [Contract; 2] = [
    Contract {
        name: "a policy is created once, replaced by etag, and deleted",
        writes: true,
        check: |target| guarded(target).boxed(),
    },
    Contract {
        name: "policies that do not exist are neither read, nor replaced, nor deleted",
        writes: false,
        check: |target| missing(target).boxed(),
    },
];

fn entries(resources: &[&str]) -> Value {
    resources.iter().map(|resource| json!({ "resource": resource, "action": "Purchase" })).collect()
}

fn new_policy(target: &Target, resources: &[&str]) -> Value {
    json!({
        "selfServeEntity": { "selfServeEntityType": "customer", "tenantID": target.customer },
        "grantor": { "grantorType": "billToPartner", "tenantID": target.partner() },
        "permissions": entries(resources),
    })
}

async fn held(target: &Target) -> Result<Vec<Value>, String> {
    let answer = target.get(&format!("v1/SelfServePolicy?entity_id={}", target.customer)).await?;
    expect_status(&answer, &[200])?;
    answer.items().cloned()
}

/// How often a deletion is asked for before a person has to be.
const DELETIONS_MAX: u32 = 5;

/// Between two of them.
const PAUSE: Duration = Duration::from_secs(2);

/// Only the reservations, which the contract begins with.
const ONE: [&str; 1] = ["AzureReservedInstances"];

async fn create(target: &Target) -> Result<Answer, String> {
    target.ask(Method::POST, "v1/SelfServePolicy", Some(new_policy(target, &ONE))).await
}

/// Nothing is begun when a policy exists, which would be somebody's, and nothing is left behind.
async fn guarded(target: &Target) -> Outcome {
    if !held(target).await?.is_empty() {
        return Err("the customer has a policy; the contract needs one without".to_owned());
    }
    let created = create(target).await;
    if let Ok(answer) = &created
        && answer.status.is_client_error()
    {
        // Whatever is there now is somebody's.
        return expect_status(answer, &[200, 201]).map(|()| String::new());
    }
    let outcome = match &created {
        Ok(created) => life(target, created).await,
        Err(how) => Err(how.clone()),
    };
    let Err(how) = outcome else { return outcome };
    let known = created.as_ref().ok().and_then(|created| created.body["id"].as_str());
    let id = known.map_or_else(|| format!("{}_{}", target.partner(), target.customer), str::to_owned);
    match remove(target, &id).await {
        Ok(()) => Err(how),
        Err(left) => Err(format!("{how}\n{left}")),
    }
}

/// Deletes the policy by its id: a list may be behind, and not show it. "Not found" may be behind as well.
async fn remove(target: &Target, id: &str) -> Result<(), String> {
    for attempt in 1..=DELETIONS_MAX {
        let answer = target.ask(Method::DELETE, &format!("v1/SelfServePolicy/{id}"), None).await;
        if answer.is_ok_and(|answer| answer.status.is_success()) {
            return Ok(());
        }
        if attempt < DELETIONS_MAX {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Err("NO DELETION OF THE POLICY WAS CONFIRMED: look in Partner Center, the customer may be able to buy reservations"
        .to_owned())
}

async fn life(target: &Target, created: &Answer) -> Outcome {
    expect_status(created, &[200, 201])?;
    let again = create(target).await?;
    expect_refusal(&again, &[(409, "600041")])?;

    let listed = held(target).await?;
    let [policy] = &*listed else { return Err(format!("{} policies instead of one", listed.len())) };
    let (Some(id), Some(etag)) = (policy["id"].as_str(), policy["attributes"]["etag"].as_str()) else {
        return Err(format!("without id or etag: {policy}"));
    };
    let path = format!("v1/SelfServePolicy/{id}");
    expect_status(&target.get(&path).await?, &[200])?;

    let mut wanted = policy.clone();
    wanted["permissions"] = entries(&["AzureReservedInstances", "AzureSavingsPlan"]);
    let replaced = target.ask(Method::PUT, &path, Some(wanted.clone())).await?;
    expect_status(&replaced, &[200])?;
    if replaced.body["permissions"].as_array().map(Vec::len) != Some(2) {
        return Err(format!("the replacement is not what was asked for: {}", replaced.body));
    }
    if replaced.body["attributes"]["etag"] == etag {
        return Err("the etag did not change".to_owned());
    }
    let stale = target.ask(Method::PUT, &path, Some(wanted)).await?;
    expect_status(&stale, &[400, 409, 412])?;

    let deleted = target.ask(Method::DELETE, &path, None).await?;
    expect_status(&deleted, &[200, 204])?;
    if !held(target).await?.is_empty() {
        return Err("the policy is still listed after its deletion".to_owned());
    }
    let (created, stale, deleted) = (created.summary(), stale.summary(), deleted.summary());
    Ok(format!("created {created}, stale etag {stale}, deleted {deleted}"))
}

async fn missing(target: &Target) -> Outcome {
    if !held(target).await?.is_empty() {
        return Err("the customer has a policy; the contract needs one without".to_owned());
    }
    let path = format!("v1/SelfServePolicy/{}_{}", target.partner(), target.customer);
    let mut replacement = new_policy(target, &["AzureSavingsPlan"]);
    replacement["id"] = json!(format!("{}_{}", target.partner(), target.customer));
    replacement["attributes"] = json!({ "etag": "\"none\"", "objectType": "SelfServePolicy" });
    let mut seen = Vec::new();
    for (method, body) in [(Method::GET, None), (Method::PUT, Some(replacement)), (Method::DELETE, None)] {
        let answer = target.ask(method, &path, body).await?;
        expect_status(&answer, &[404])?;
        seen.push(answer.summary());
    }
    Ok(seen.join(", "))
}

#[tokio::test]
async fn a_contract_that_fails_leaves_no_policy_behind_and_takes_nobodys_away() {
    let target = Target::simulator().await;
    let path = format!("simulator/state/{}", target.customer);
    let permissions = async || target.control(Method::GET, &path, None).await["permissions"].clone();
    let reads_behind =
        async |ms: u32| target.control(Method::PATCH, "simulator/settings", Some(json!({ "staleReadsMs": ms }))).await;

    reads_behind(600_000).await;
    let how = guarded(&target).await.unwrap_err();
    assert!(how.contains("0 policies instead of one"), "{how}");
    assert_eq!(permissions().await, json!([]), "what it made");

    let toggle = json!({
        "customer": target.customer, "resource": "AzureSavingsPlan", "allow": true, "user": "ada@contoso.com",
    });
    target.control(Method::POST, "simulator/portal/permission", Some(toggle)).await;
    let how = guarded(&target).await.unwrap_err();
    assert!(how.contains("600041"), "{how}");
    assert_ne!(permissions().await, json!([]), "what somebody else made");
}
