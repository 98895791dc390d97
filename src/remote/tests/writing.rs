//! Writes, and whether their answers are believed.

use uuid::Uuid;

use super::*;
use crate::model::Policy;

fn read() -> Policy {
    Policy { id: "p_c".to_owned(), etag: Some("\"1\"".to_owned()), permissions: reservations() }
}

fn both() -> PermissionSet {
    reservations().with(Switch::SavingsPlans, true)
}

#[tokio::test]
async fn a_create_names_both_tenants_and_nothing_that_does_not_exist_yet() {
    for status in [200, 201] {
        let stage = Stage::new([reply(status, policy(&["azureReservedInstances"]))]).await;
        let created = stage.remote.partner_center.create_policy(customer(), &reservations(), Uuid::from_u128(7)).await;
        let created = created.unwrap();
        assert_eq!((created.id.as_str(), created.etag.as_deref()), ("p_c", Some("\"1\"")), "{status}");
        assert_eq!(created.permissions, reservations());
        let seen = &stage.seen()[0];
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/SelfServePolicy"));
        let mut expected = policy(&["AzureReservedInstances"]);
        for made_by_the_service in ["id", "attributes"] {
            expected.as_object_mut().unwrap().remove(made_by_the_service);
        }
        assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_replacement_carries_the_etag_and_returns_the_new_one() {
    let mut written = policy(&["AzureSavingsPlan", "azureReservedInstances"]);
    written["attributes"]["etag"] = json!("\"2\"");
    let stage = Stage::new([reply(200, written)]).await;
    let updated =
        stage.remote.partner_center.update_policy(customer(), &read(), &both(), Uuid::from_u128(7)).await.unwrap();
    assert_eq!((updated.etag.as_deref(), updated.permissions), (Some("\"2\""), both()));
    let seen = &stage.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("PUT", "/v1/SelfServePolicy/p_c"));
    // The whole policy as it shall be, with the id and the etag of the one that was read.
    let expected = policy(&["AzureReservedInstances", "AzureSavingsPlan"]);
    assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), expected);
    // The etag travels in the body.
    assert!(!seen.headers.contains_key("if-match") && !seen.headers.contains_key("ms-contract-version"));
}

#[tokio::test]
async fn an_answer_that_says_something_else_is_not_believed() {
    let mut of_another_partner = policy(&["AzureReservedInstances", "AzureSavingsPlan"]);
    of_another_partner["grantor"]["tenantID"] = json!(CUSTOMER);
    let mut of_another_id = policy(&["AzureReservedInstances", "AzureSavingsPlan"]);
    of_another_id["id"] = json!("q_c");
    for body in [
        policy(&["AzureReservedInstances"]),
        policy(&["AzureReservedInstances", "AzureSavingsPlan", "AzureSomething"]),
        of_another_partner,
        of_another_id,
        json!({}),
        Value::Null,
    ] {
        let stage = Stage::new([reply(200, &body)]).await;
        let written = stage.remote.partner_center.update_policy(customer(), &read(), &both(), Uuid::nil()).await;
        assert_eq!(written.unwrap_err().category(), "unexpected_answer", "{body}");
        assert_eq!(stage.seen().len(), 1, "{body}");
    }
}

#[tokio::test]
async fn what_could_not_be_accepted_is_not_sent() {
    let stage = Stage::new([]).await;
    let partner_center = &stage.remote.partner_center;
    let nothing = PermissionSet::default();
    let errors = [
        partner_center.create_policy(customer(), &nothing, Uuid::nil()).await.unwrap_err(),
        partner_center.update_policy(customer(), &read(), &nothing, Uuid::nil()).await.unwrap_err(),
        partner_center.delete_policy(customer(), "", Uuid::nil()).await.unwrap_err(),
        partner_center.delete_policy(customer(), "..", Uuid::nil()).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.category(), "invalid_request");
    }
    assert!(stage.events().is_empty());
}

#[tokio::test]
async fn the_deletion_of_nothing_is_done() {
    let replies = [reply(204, ""), reply(200, "{}"), reply(404, fault("600039")), reply(404, "")];
    let stage = Stage::new(replies).await;
    for _ in 0..4 {
        stage.remote.partner_center.delete_policy(customer(), "p_c", Uuid::from_u128(7)).await.unwrap();
    }
    let seen = &stage.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str(), seen.body.as_str()),
        ("DELETE", "/v1/SelfServePolicy/p_c", "")
    );
    assert_eq!(seen.header("ms-correlationid"), Uuid::from_u128(7).to_string());

    let stage = Stage::new([reply(403, fault("20002"))]).await;
    let error = stage.remote.partner_center.delete_policy(customer(), "p_c", Uuid::nil()).await.unwrap_err();
    assert!(error.customer_not_ours());
}

#[tokio::test]
async fn a_lost_race_is_told_apart() {
    let stage = Stage::new([reply(409, fault("600041")), reply(409, ""), reply(404, fault("600040"))]).await;
    let partner_center = &stage.remote.partner_center;
    let create = partner_center.create_policy(customer(), &both(), Uuid::nil()).await.unwrap_err();
    assert!(create.policy_exists() && !create.is_stale());
    let (read, both) = (read(), both());
    let update = || partner_center.update_policy(customer(), &read, &both, Uuid::nil());
    let changed = update().await.unwrap_err();
    assert!(changed.is_stale() && !changed.policy_exists());
    assert!(update().await.unwrap_err().policy_missing());
}
