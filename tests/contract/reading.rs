//! Reading customers, subscriptions, relationships and the activity log.

use futures::FutureExt as _;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::target::{Request, Target, expect_refusal, expect_status};
use crate::{Contract, Outcome};

pub(crate) const CONTRACTS: [Contract; 8] = [
    Contract {
        name: "a customer tells its tenant, company and relationship",
        writes: false,
        check: |target| customer(target).boxed(),
    },
    Contract {
        name: "customers are listed by the page, and the next link leads on",
        writes: false,
        check: |target| customers_by_the_page(target).boxed(),
    },
    Contract {
        name: "a tenant that is no customer is refused in a known way",
        writes: false,
        check: |target| no_customer(target).boxed(),
    },
    Contract {
        name: "subscriptions tell offer and status, and an Azure plan its Azure subscriptions",
        writes: false,
        check: |target| subscriptions(target).boxed(),
    },
    Contract { name: "relationships are listed by type", writes: false, check: |target| relationships(target).boxed() },
    Contract {
        name: "activity records of policies are found by resource type",
        writes: false,
        check: |target| activity(target).boxed(),
    },
    Contract {
        name: "dates that are malformed or too old are 400",
        writes: false,
        check: |target| dates(target).boxed(),
    },
    Contract { name: "both ids of a request are echoed", writes: false, check: |target| echo(target).boxed() },
];

async fn customer(target: &Target) -> Outcome {
    let answer = target.get(&format!("v1/customers/{}", target.customer)).await?;
    expect_status(&answer, &[200])?;
    let is_it = answer.body["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(&target.customer));
    if !is_it || !answer.body["companyProfile"]["companyName"].is_string() {
        return Err(format!("not the customer: {}", answer.body));
    }
    let relationship = answer.body["relationshipToPartner"].as_str().ok_or("no relationshipToPartner")?;
    Ok(format!("relationship {relationship}"))
}

async fn customers_by_the_page(target: &Target) -> Outcome {
    let first = target.get("v1/customers?size=1").await?;
    expect_status(&first, &[200])?;
    let ids = |items: &[Value]| items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
    let before = ids(first.items()?);
    if before.len() > 1 {
        return Err(format!("{} customers on a page of one", before.len()));
    }
    let next = &first.body["links"]["next"];
    target.expect_some("second page of one customer", usize::from(next["uri"].is_string()))?;
    let Some(uri) = next["uri"].as_str() else { return Ok("one page".to_owned()) };
    let token = target.user_token().await?;
    let path = uri.trim_start_matches('/');
    let path = if path.starts_with("v1/") { path.to_owned() } else { format!("v1/{path}") };
    let headers: Vec<_> = next["headers"].as_array().into_iter().flatten().collect();
    let continuation = headers.iter().find(|header| header["key"] == "MS-ContinuationToken");
    let continuation = continuation.and_then(|header| header["value"].as_str());
    let second = target.follow(&path, &token, continuation).await?;
    expect_status(&second, &[200])?;
    if ids(second.items()?) == before {
        return Err("the next page is the first one again".to_owned());
    }
    Ok(format!("next page by {}", if continuation.is_some() { "uri and header" } else { "uri" }))
}

async fn no_customer(target: &Target) -> Outcome {
    let answer = target.get("v1/customers/f0f0f0f0-0000-4000-8000-00000000f0f0").await?;
    let likely = [(403, "20002"), (403, "900159"), (404, "60003"), (404, "20002"), (400, "900118"), (400, "800002")];
    expect_refusal(&answer, &likely)
}

async fn subscriptions(target: &Target) -> Outcome {
    let base = format!("v1/customers/{}/subscriptions", target.customer);
    let answer = target.get(&base).await?;
    expect_status(&answer, &[200])?;
    let items = answer.items()?;
    let mut azure = 0;
    for item in items {
        let (Some(id), Some(offer), Some(_)) = (item["id"].as_str(), item["offerId"].as_str(), item["status"].as_str())
        else {
            return Err(format!("without id, offerId or status: {item}"));
        };
        if offer.starts_with("DZH318Z0BPS6:") {
            let below = target.get(&format!("{base}/{id}/azureEntitlements")).await?;
            expect_status(&below, &[200])?;
            azure += below.items()?.iter().filter(|entitlement| entitlement["id"].is_string()).count();
        }
    }
    target.expect_some("Azure subscription", azure)?;
    Ok(format!("{} subscriptions, {azure} Azure subscriptions below plans", items.len()))
}

async fn relationships(target: &Target) -> Outcome {
    let mut seen = Vec::new();
    let mut found = 0;
    for kind in ["IsIndirectCloudSolutionProviderOf", "IsIndirectResellerOf"] {
        let answer = target.get(&format!("v1/relationships?relationship_type={kind}")).await?;
        expect_status(&answer, &[200])?;
        let items = answer.items()?;
        for item in items {
            // Documented in snake case, where the request has the same word in camel case.
            let word = item["relationshipType"].as_str().unwrap_or_default().replace('_', "");
            if !(word.eq_ignore_ascii_case(kind) && item["id"].is_string() && item["state"].is_string()) {
                return Err(format!("not a relationship {kind} with id and state: {item}"));
            }
        }
        found += items.len();
        seen.push(format!("{kind}: {}", items.len()));
    }
    target.expect_some("relationship", found)?;
    Ok(seen.join(", "))
}

/// `{"Field":"ResourceType","Value":"SelfServePolicy","Operator":"equals"}`, escaped.
const POLICY_RECORDS: &str =
    "%7B%22Field%22%3A%22ResourceType%22%2C%22Value%22%3A%22SelfServePolicy%22%2C%22Operator%22%3A%22equals%22%7D";

async fn activity(target: &Target) -> Outcome {
    let answer = target.get(&format!("v1/auditrecords?filter={POLICY_RECORDS}&size=500")).await?;
    expect_status(&answer, &[200])?;
    let items = answer.items()?;
    for item in items {
        let has = |field: &str| item[field].is_string();
        if !(has("id") && has("operationDate") && has("operationType") && has("customerId")) {
            return Err(format!("a record without id, date, type or customer: {item}"));
        }
        if item["resourceType"] != "self_serve_policy" {
            return Err(format!("a record of something else: {}", item["resourceType"]));
        }
    }
    target.expect_some("record of a policy", items.len())?;
    Ok(format!("{} records", items.len()))
}

async fn dates(target: &Target) -> Outcome {
    let mut seen = Vec::new();
    for date in ["tomorrow", "2001-01-01"] {
        let answer = target.get(&format!("v1/auditrecords?startDate={date}")).await?;
        expect_status(&answer, &[400])?;
        seen.push(answer.summary());
    }
    Ok(seen.join(", "))
}

async fn echo(target: &Target) -> Outcome {
    let token = target.user_token().await?;
    let correlation = Uuid::new_v4();
    let path = "v1/customers?size=1";
    let request = Request { method: Method::GET, path, token: Some(&token), body: None, correlation };
    let answer = target.send(request).await?;
    let echoed = answer.correlation_id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(&correlation.to_string()));
    if !echoed || answer.request_id.is_none() {
        return Err(format!("ids {:?} and {:?}", answer.correlation_id, answer.request_id));
    }
    Ok("both".to_owned())
}
