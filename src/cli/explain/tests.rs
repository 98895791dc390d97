use serde_json::{Value, json};

use super::*;

fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": format!("about {reason}"),
        "observedGeneration": 1, "lastTransitionTime": "2026-03-01T08:00:00Z",
    })
}

fn object<K: serde::de::DeserializeOwned>(kind: &str, spec: &Value, conditions: &[Value], status: &Value) -> K {
    let mut status = status.clone();
    status["conditions"] = json!(conditions);
    status["observedGeneration"] = json!(1);
    serde_json::from_value(json!({
        "apiVersion": "csp-operator.dev/v1alpha1", "kind": kind,
        "metadata": { "namespace": "n", "name": "x" }, "spec": spec, "status": status,
    }))
    .unwrap()
}

fn known(owner: (&str, &str), ready: (&str, &str)) -> Known {
    let reference = json!({ "name": "x" });
    let spec = json!({ "customerRef": reference, "azureReservations": "Allow", "azureSubscriptionRefs": [reference] });
    Known {
        customers: vec![object("Customer", &json!({ "tenantId": "t" }), &[], &json!({}))],
        subscriptions: vec![object(
            "AzureSubscription",
            &json!({ "customerRef": reference, "subscriptionId": "s" }),
            &[
                condition("AzureSubscriptionVerified", "True", "Active"),
                condition("OwnerRoleVerified", owner.0, owner.1),
            ],
            &json!({ "owners": [{ "name": "ada@fabrikam.com", "result": "Missing" }] }),
        )],
        permissions: vec![object(
            "CustomerPurchasePermission",
            &spec,
            &[condition("Ready", ready.0, ready.1), condition("CustomerResolved", "True", "Resolved")],
            &json!({}),
        )],
    }
}

#[test]
fn the_first_link_that_fails_says_what_to_do() {
    let known = known(("False", "OwnerMissing"), ("False", "OwnerMissing"));
    let found = explain(Kind::CustomerPurchasePermission, "x", &known).unwrap();
    let next = found.next.clone().unwrap();
    assert!(
        next.what.starts_with("assign Owner")
            && next.command.unwrap().ends_with("--assignee ada@fabrikam.com --scope /subscriptions/s")
    );
    let told = text(&found, "2026-03-01T11:30:00Z".parse().unwrap());
    let plain = anstream::adapter::strip_str(&told).to_string();
    for line in [
        "CustomerPurchasePermission n/x is not Ready (OwnerMissing): about OwnerMissing",
        "  ok  Is the Azure subscription active, and the customer's?",
        "  no  Do the key users hold Owner on it?",
        "      AzureSubscription n/x: OwnerRoleVerified False OwnerMissing, since 2026-03-01T08:00:00Z (3h)",
        "      about OwnerMissing. Of spec.owners: ada@fabrikam.com (Missing)",
    ] {
        assert!(plain.lines().any(|found| found == line), "{line}\n{plain}");
    }
}

#[test]
fn what_is_in_order_needs_nothing_and_what_nobody_looked_at_says_so() {
    let mut known = known(("True", "OwnerHeld"), ("True", "InSync"));
    let found = explain(Kind::CustomerPurchasePermission, "x", &known).unwrap();
    assert_eq!((found.next, found.summary), (None, "is in order (InSync): about InSync".to_owned()));
    known.permissions[0].status = None;
    let found = explain(Kind::CustomerPurchasePermission, "x", &known).unwrap();
    assert!(found.summary.starts_with("the operator has not looked at it yet"), "{}", found.summary);
    assert_eq!(explain(Kind::Customer, "y", &known), None);
}

#[test]
fn an_object_is_named_as_kubectl_names_it() {
    for (text, kind) in [
        ("cpp/a", Kind::CustomerPurchasePermission),
        ("Customers/a", Kind::Customer),
        ("azuresubscriptions.csp-operator.dev/a", Kind::AzureSubscription),
    ] {
        assert_eq!(named(text), Some((kind, "a")), "{text}");
    }
    for text in ["cpp", "cpp/", "pod/a", "a"] {
        assert_eq!(named(text), None, "{text}");
    }
}
