//! Lists, their pages, and answers that cannot be right.

use std::collections::BTreeSet;

use super::*;
use crate::model::{AzurePlanKind, ObjectId, Relationship};
use crate::remote::Cause;

fn customer_item(id: &str, name: &str) -> Value {
    json!({ "id": id, "companyProfile": { "companyName": name }, "relationshipToPartner": "reseller" })
}

fn page(items: &[Value], next: Option<(&str, &str)>) -> Reply {
    let mut body = json!({ "totalCount": items.len(), "items": items, "links": {} });
    if let Some((uri, token)) = next {
        body["links"]["next"] = json!({
            "uri": uri, "method": "GET", "headers": [{ "key": "MS-ContinuationToken", "value": token }]
        });
    }
    reply(200, body)
}

#[tokio::test]
async fn customers_come_from_all_pages_and_the_later_one_wins() {
    let other = "c1a0c1a0-1111-4a11-8a11-000000000002";
    let stage = Stage::new([
        page(
            &[customer_item(CUSTOMER, "Old"), customer_item(other, "Other")],
            Some(("/customers?seekOperation=Next", "1")),
        ),
        page(&[customer_item(CUSTOMER, "New")], Some(("/v1/customers?seekOperation=Next", "2"))),
        page(&[], None),
    ])
    .await;
    let customers = stage.remote.partner_center.customers().await.unwrap();
    assert_eq!(customers.len(), 2);
    assert_eq!(customers[&customer()].company_name.as_deref(), Some("New"));
    let seen = stage.seen();
    assert_eq!(seen[0].path, "/v1/customers?size=500");
    assert_eq!(
        (seen[1].path.as_str(), seen[1].header("ms-continuationtoken")),
        ("/v1/customers?seekOperation=Next", "1")
    );
    assert_eq!(
        (seen[2].path.as_str(), seen[2].header("ms-continuationtoken")),
        ("/v1/customers?seekOperation=Next", "2")
    );
    assert_eq!(seen[0].header("ms-correlationid"), seen[2].header("ms-correlationid"));
    assert_ne!(seen[0].header("ms-requestid"), seen[1].header("ms-requestid"));
}

#[tokio::test]
async fn a_list_without_end_ends() {
    let same = || page(&[], Some(("/customers", "1")));
    let stage = Stage::new((0..9).map(|_| same())).await;
    let error = stage.remote.partner_center.customers().await.unwrap_err();
    assert_eq!(error.category(), "unexpected_answer");
    assert!(error.message().contains("the same next page twice"), "{}", error.message());
    assert_eq!(stage.seen().len(), 2);

    let limits = Limits { pages_max: 3, ..quick() };
    let pages = (0..9).map(|number| page(&[], Some(("/customers", &number.to_string()))));
    let stage = Stage::with(pages, limits, Arc::new(Unfenced)).await;
    let error = stage.remote.partner_center.customers().await.unwrap_err();
    assert!(error.message().contains("more than 3 pages"), "{}", error.message());
    assert_eq!(stage.seen().len(), 3);
}

#[tokio::test]
async fn the_token_never_goes_to_another_server() {
    let stage = Stage::new([page(&[], Some(("http://127.0.0.2:1/v1/customers", "1")))]).await;
    let error = stage.remote.partner_center.customers().await.unwrap_err();
    assert!(error.message().contains("leads to another server"), "{}", error.message());
}

#[tokio::test]
async fn a_customer_is_the_one_asked_for() {
    let other = "c1a0c1a0-1111-4a11-8a11-000000000002";
    let stage = Stage::new([reply(200, customer_item(CUSTOMER, "A")), reply(200, customer_item(other, "B"))]).await;
    let profile = stage.remote.partner_center.customer(customer()).await.unwrap();
    assert_eq!(profile.relationship, Relationship::Reseller);
    assert_eq!(stage.seen()[0].path, format!("/v1/customers/{CUSTOMER}"));
    let error = stage.remote.partner_center.customer(customer()).await.unwrap_err();
    assert_eq!(error.category(), "unexpected_answer");
}

#[tokio::test]
async fn an_answer_without_the_list_is_not_an_empty_list() {
    for body in ["{}", "", "null", "[]", "<html>", r#"{"items":null}"#] {
        let stage = Stage::new([reply(200, body)]).await;
        let error = stage.remote.partner_center.policy(customer()).await.unwrap_err();
        assert_eq!(error.category(), "unexpected_answer", "{body}");
    }
}

#[tokio::test]
async fn a_policy_is_this_customers_and_the_only_one() {
    let mut of_other = policy(&["AzureSavingsPlan"]);
    of_other["selfServeEntity"]["tenantID"] = json!(PARTNER);
    let ours = policy(&["AzureSavingsPlan"]);
    let stage = Stage::new([
        page(&[], None),
        page(std::slice::from_ref(&ours), None),
        page(&[of_other], None),
        page(&[ours.clone(), ours.clone()], None),
        page(std::slice::from_ref(&ours), Some(("/SelfServePolicy", "1"))),
        page(&[ours], None),
    ])
    .await;
    let read = || stage.remote.partner_center.policy(customer());
    assert_eq!(read().await.unwrap(), None);
    let policy = read().await.unwrap().unwrap();
    assert_eq!((policy.id.as_str(), policy.etag.as_deref()), ("p_c", Some("\"1\"")));
    assert!(policy.permissions.allows(Switch::SavingsPlans));
    for what in ["a policy of another customer", "more than one policy", "more than one policy"] {
        let error = read().await.unwrap_err();
        assert_eq!(error.category(), "unexpected_answer");
        assert!(error.message().contains(what), "{}", error.message());
    }
    assert_eq!(stage.seen()[0].path, format!("/v1/SelfServePolicy?entity_id={CUSTOMER}"));
}

fn plan(id: &str, status: &str) -> Value {
    json!({ "id": id, "offerId": "DZH318Z0BPS6:0001:X", "status": status })
}

#[tokio::test]
async fn an_azure_estate_has_the_subscriptions_of_every_plan() {
    let azure = "50b50b50-3333-4c33-8c33-00000000000a";
    let office = json!({ "id": "o1", "offerId": "CFQ7TTC0LH16:0001:X" });
    let stage = Stage::new([
        page(&[office, plan("A1", "active"), plan("B1", "deleted")], None),
        page(&[json!({ "id": azure, "status": "active" })], None),
        reply(404, fault("800111")),
    ])
    .await;
    let estate = stage.remote.partner_center.azure_estate(customer()).await.unwrap();
    let summary: Vec<_> = estate.plans.iter().map(|plan| (plan.id.as_str(), plan.kind, plan.uses.len())).collect();
    assert_eq!(summary, [("a1", AzurePlanKind::AzurePlan, 1), ("b1", AzurePlanKind::AzurePlan, 0)]);
    assert_eq!(estate.plans[0].uses[0].id.to_string(), azure);
    assert_eq!(stage.seen()[1].path, format!("/v1/customers/{CUSTOMER}/subscriptions/a1/azureEntitlements"));
}

#[tokio::test]
async fn an_active_plan_that_cannot_be_read_is_an_error() {
    let stage = Stage::new([page(&[plan("a1", "active")], None), reply(404, fault("800111"))]).await;
    let error = stage.remote.partner_center.azure_estate(customer()).await.unwrap_err();
    assert_eq!(error.reason(), "NotFound");
    let stage = Stage::new([page(&[plan("a1", "deleted")], None), reply(404, fault("60003"))]).await;
    assert!(stage.remote.partner_center.azure_estate(customer()).await.unwrap_err().customer_not_ours());
}

fn record(id: &str, day: &str, resource: &str) -> Value {
    json!({
        "id": id, "customerId": CUSTOMER, "resourceType": resource, "operationType": "create_self_serve_policy",
        "operationDate": format!("{day}T08:00:00Z"), "operationStatus": "succeeded"
    })
}

#[tokio::test]
async fn activity_comes_once_each_oldest_first_and_only_of_the_days_asked_for() {
    let stage = Stage::new([
        page(
            &[record("b", "2026-01-29", "self_serve_policy"), record("x", "2026-01-10", "order")],
            Some(("/auditrecords", "1")),
        ),
        page(&[record("a", "2026-01-02", "self_serve_policy"), record("y", "2025-12-31", "self_serve_policy")], None),
        page(&[record("b", "2026-01-29", "self_serve_policy"), record("z", "2026-02-02", "self_serve_policy")], None),
    ])
    .await;
    let (from, to) = ("2026-01-01".parse().unwrap(), "2026-02-01".parse().unwrap());
    let records = stage.remote.partner_center.activity(from, to).await.unwrap();
    assert_eq!(records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let seen = stage.seen();
    let filter =
        "%7B%22Field%22%3A%22ResourceType%22%2C%22Value%22%3A%22SelfServePolicy%22%2C%22Operator%22%3A%22equals%22%7D";
    assert_eq!(
        seen[0].path,
        format!("/v1/auditrecords?startDate=2026-01-01&endDate=2026-01-30&size=500&filter={filter}")
    );
    assert_eq!(seen[1].header("ms-continuationtoken"), "1");
    assert!(seen[2].path.starts_with("/v1/auditrecords?startDate=2026-01-30&endDate=2026-02-02&"), "{}", seen[2].path);
}

const SUBSCRIPTION: &str = "50b50b50-3333-4c33-8c33-00000000000a";

fn assignment(principal: ObjectId, kind: &str) -> Value {
    json!({ "properties": {
        "roleDefinitionId": "/providers/x/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "principalId": principal, "principalType": kind, "scope": format!("/subscriptions/{SUBSCRIPTION}")
    } })
}

#[tokio::test]
async fn owners_are_asked_one_by_one_only_when_not_found_directly() {
    let person = |last: u8| -> ObjectId { format!("0b1e0b1e-4444-4d44-8d44-0000000000{last:02x}").parse().unwrap() };
    let (direct, through_group, nobody, group, partners) = (person(1), person(2), person(3), person(4), person(5));
    let stage = Stage::new([]).await;
    let next = format!("{}/subscriptions/{SUBSCRIPTION}/page2", stage.address);
    stage.scene.lock().unwrap().replies.extend([
        reply(200, json!({ "value": [assignment(partners, "ForeignGroup")], "nextLink": next })),
        reply(200, json!({ "value": [assignment(direct, "User")] })),
        reply(200, json!({ "value": [assignment(group, "Group")] })),
        reply(200, json!({ "value": [assignment(partners, "ForeignGroup")] })),
        reply(400, json!({ "error": { "code": "BadRequest", "message": "x" } })),
    ]);
    let asked = BTreeSet::from([direct, through_group, nobody, group]);
    let owners = stage.remote.azure.owners(customer(), SUBSCRIPTION.parse().unwrap(), &asked).await.unwrap();
    assert_eq!(owners.assigned.keys().collect::<Vec<_>>(), [&direct]);
    assert_eq!(owners.through_groups.keys().collect::<Vec<_>>(), [&through_group]);
    assert_eq!(owners.through_groups[&through_group].principal, group);
    assert_eq!(owners.excluded.keys().collect::<Vec<_>>(), [&partners]);
    assert_eq!(owners.asked, asked);
    let seen = stage.seen();
    let base = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments");
    assert_eq!(seen[0].path, format!("{base}?api-version=2022-04-01&$filter=atScope()"));
    assert_eq!(seen[1].path, format!("/subscriptions/{SUBSCRIPTION}/page2"));
    let assigned = format!("{base}?api-version=2022-04-01&$filter=atScope()%20and%20assignedTo(%27{through_group}%27)");
    assert_eq!(seen[2].path, assigned);
}

#[tokio::test]
async fn owners_are_unknown_when_azure_refuses() {
    let stage = Stage::new([reply(403, json!({ "error": { "code": "AuthorizationFailed", "message": "x" } }))]).await;
    let owners = stage.remote.azure.owners(customer(), SUBSCRIPTION.parse().unwrap(), &BTreeSet::new()).await;
    let error = owners.unwrap_err();
    assert_eq!((error.reason(), error.denial()), ("Forbidden", None));
}

#[tokio::test]
async fn nothing_compressed_is_asked_for_and_what_comes_compressed_all_the_same_is_told() {
    // Its first bytes are those of gzip, as far as text can have them.
    let compressed = reply(200, "\u{1f}\u{8}\u{0}").with("content-encoding", "gzip");
    let stage = Stage::new([compressed]).await;
    let error = stage.remote.partner_center.policy(customer()).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::UnexpectedAnswer(_)), "{error:?}");
    assert!(error.message().contains("not JSON"), "{}", error.message());
    for seen in stage.seen().iter().chain(&stage.sign_ins()) {
        assert_eq!(seen.header("accept-encoding"), "identity", "{}", seen.path);
    }
}
