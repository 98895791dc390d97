//! Buying an Azure plan.

use super::simulated::Simulated;
use super::*;
use crate::simulator::World;

const FRESH: &str = "c1a0c1a0-1111-4a11-8a11-000000000077";

fn fresh() -> TenantId {
    FRESH.parse().unwrap()
}

/// A customer without an Azure plan, that has not accepted anything yet.
async fn start() -> Simulated {
    let yaml = format!("customers: [{{ tenantId: {FRESH}, name: Fabrikam, agreementAccepted: false }}]");
    Simulated::start(World::from_yaml(&yaml).unwrap()).await
}

async fn agree(stage: &Simulated) {
    let path = format!("customers/{FRESH}/agreement");
    stage.control(reqwest::Method::PUT, &path, json!({ "accepted": true })).await;
}

#[tokio::test]
async fn an_azure_plan_is_bought_with_a_cart_that_serves_once() {
    let stage = start().await;
    let partner_center = &stage.remote.partner_center;
    assert!(!partner_center.has_accepted_agreement(fresh()).await.unwrap());
    let cart = partner_center.plan_cart(fresh(), None).await.unwrap();
    let error = partner_center.check_out(fresh(), &cart).await.unwrap_err();
    assert_eq!((error.reason(), error.may_have_arrived()), ("CustomerAgreementMissing", false));
    agree(&stage).await;
    assert!(partner_center.has_accepted_agreement(fresh()).await.unwrap());
    assert_eq!(partner_center.check_out(fresh(), &cart).await.unwrap().len(), 1);
    let error = partner_center.check_out(fresh(), &cart).await.unwrap_err();
    assert!(error.cart_missing() && !error.may_have_arrived(), "{error:?}");
    assert_eq!(partner_center.azure_estate(fresh()).await.unwrap().plans.len(), 1);
}

#[tokio::test]
async fn a_purchase_without_an_answer_is_not_sent_again() {
    for answer in [
        json!({ "kind": "status", "status": 503 }),
        json!({ "kind": "disconnect", "applied": true }),
        json!({ "kind": "garbage" }),
        json!({ "kind": "status", "status": 201, "body": "{\"orders\":[]}" }),
    ] {
        let stage = start().await;
        agree(&stage).await;
        let partner_center = &stage.remote.partner_center;
        let cart = partner_center.plan_cart(fresh(), None).await.unwrap();
        stage.fault("check_out_cart", answer.clone()).await;
        let error = partner_center.check_out(fresh(), &cart).await.unwrap_err();
        assert!(error.may_have_arrived() && !error.cart_missing() && !error.was_never_sent(), "{answer} {error:?}");
        let counts = stage.control(reqwest::Method::GET, "requests/counts", Value::Null).await;
        assert_eq!(counts["check_out_cart"]["total"], 1, "{answer}");
    }
}

#[tokio::test]
async fn an_indirect_provider_names_the_reseller() {
    let stage = start().await;
    agree(&stage).await;
    stage.control(reqwest::Method::PATCH, "partner", json!({ "type": "IndirectProvider" })).await;
    let partner_center = &stage.remote.partner_center;
    let nobodys = partner_center.plan_cart(fresh(), None).await.unwrap();
    assert_eq!(partner_center.check_out(fresh(), &nobodys).await.unwrap_err().reason(), "InvalidProperty");
    let cart = partner_center.plan_cart(fresh(), Some("1234567")).await.unwrap();
    assert_eq!(partner_center.check_out(fresh(), &cart).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_catalogue_that_offers_none_or_several_is_not_chosen_from() {
    let offer = |item: &str| json!({ "catalogItemId": item, "isPurchasable": true });
    let plans = ["DZH318Z0BPS6:0001:A", "DZH318Z0BPS6:0001:B"].map(offer);
    for items in [json!([]), json!([offer("other:0001:A")]), json!(plans)] {
        let stage = Stage::new([reply(200, json!({ "items": items }))]).await;
        let error = stage.remote.partner_center.plan_cart(customer(), None).await.unwrap_err();
        assert_eq!((error.reason(), stage.seen().len()), ("UnexpectedAnswer", 1));
    }
}
