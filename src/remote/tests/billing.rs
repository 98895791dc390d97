//! What customers see of their charges.

use super::simulated::{Simulated, tenant};
use super::*;
use crate::model::{BillingAccount, ChargeChange, ChargeProgress, ChargeView};
use crate::simulator::World;

const CHANGE: &str = "/providers/Microsoft.Billing/operationResults/1?api-version=2024-04-01";

fn account() -> BillingAccount {
    "a:b_2019-05-31".parse().unwrap()
}

fn policy(view: &str, state: &str) -> Value {
    json!({ "properties": { "viewCharges": view, "provisioningState": state, "policies": [] } })
}

#[tokio::test]
async fn charges_are_read_shown_and_hidden_below_the_partners_own_account() {
    let stage = Simulated::start(World::generated(2)).await;
    let billing = &stage.remote.billing;
    let accounts = billing.accounts().await.unwrap();
    assert_eq!(accounts.len(), 1);
    let account = accounts.first().unwrap();
    let read = async || billing.charges(tenant(1), account).await.unwrap();
    assert_eq!(read().await, ChargeView::Hidden);
    for view in [ChargeView::Visible, ChargeView::Hidden] {
        assert_eq!(billing.show_charges(tenant(1), account, view).await.unwrap(), ChargeChange::Done);
        assert_eq!(read().await, view);
    }
    assert!(billing.show_charges(tenant(1), account, ChargeView::Other).await.is_err());
    stage.setting("billingPolicyDelayMs", json!(600_000)).await;
    let change = billing.show_charges(tenant(1), account, ChargeView::Visible).await.unwrap();
    let ChargeChange::Running { operation, wait } = change else { panic!("{change:?}") };
    assert_eq!(wait, Duration::from_secs(1));
    let progress = async || billing.charges_change(tenant(1), &operation).await.unwrap();
    assert_eq!((progress().await, read().await), (ChargeProgress::Running { wait }, ChargeView::Hidden));
    stage.control(reqwest::Method::PUT, "clock", json!({ "advance": "11m" })).await;
    assert_eq!((progress().await, read().await), (ChargeProgress::Over, ChargeView::Visible));
}

#[tokio::test]
async fn a_change_is_asked_about_only_where_it_was_made() {
    let stage = Stage::new([reply(202, ""), reply(200, json!({ "status": "InProgress" })), reply(404, "")]).await;
    let here = format!("{}{CHANGE}", stage.address);
    let ask = async |change: &str| stage.remote.billing.charges_change(customer(), change).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(ask(&here).await, ChargeProgress::Running { .. }));
    }
    assert_eq!(ask(&here).await, ChargeProgress::Over, "forgotten");
    for elsewhere in [&format!("http://elsewhere.example{CHANGE}"), "x", ""] {
        assert_eq!(ask(elsewhere).await, ChargeProgress::Over, "{elsewhere}");
    }
    assert_eq!(stage.seen().len(), 3);
    assert!(stage.sign_ins()[0].path.contains(PARTNER), "billing is the partner's");
}

#[tokio::test]
async fn what_an_answer_does_not_settle_is_unclear_and_read_again() {
    let change = async |answer: Reply| {
        let stage = Stage::new([answer]).await;
        stage.remote.billing.show_charges(customer(), &account(), ChargeView::Visible).await.unwrap()
    };
    assert_eq!(change(reply(200, policy("Allowed", "Succeeded"))).await, ChargeChange::Done);
    for (view, state) in [("NotAllowed", "Succeeded"), ("Allowed", "Pending")] {
        assert_eq!(change(reply(201, policy(view, state))).await, ChargeChange::Unclear);
    }
    assert_eq!(change(reply(202, "")).await, ChargeChange::Unclear);
}
