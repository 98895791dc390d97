//! The life of a policy. Writes: the customer may buy reservations for as long as it runs, some seconds.

use futures::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::target::{Target, expect_refusal, expect_status};
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

/// Nothing is begun when a policy exists, which would be somebody's, and nothing is left behind.
async fn guarded(target: &Target) -> Outcome {
    if !held(target).await?.is_empty() {
        return Err("the customer has a policy; the contract needs one without".to_owned());
    }
    let outcome = life(target).await;
    for policy in held(target).await? {
        let id = policy["id"].as_str().ok_or("a policy without id")?;
        target.ask(Method::DELETE, &format!("v1/SelfServePolicy/{id}"), None).await?;
    }
    if !held(target).await?.is_empty() {
        return Err("THE POLICY COULD NOT BE DELETED: delete it in Partner Center".to_owned());
    }
    outcome
}

async fn life(target: &Target) -> Outcome {
    let one = ["AzureReservedInstances"];
    let create = || target.ask(Method::POST, "v1/SelfServePolicy", Some(new_policy(target, &one)));
    let created = create().await?;
    expect_status(&created, &[200, 201])?;
    let again = create().await?;
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
