use serde_json::{Value, json};

use super::*;
use crate::plan::catalogue;
use crate::plan::conditions::ConditionType;

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

/// What to do, where the only subscription lacks an owner for this reason; without `named`, it names none.
fn next_of_owner(reason: &str, named: bool) -> Advice {
    let mut known = known(("False", reason), ("False", reason));
    if !named {
        known.subscriptions[0].status.as_mut().unwrap().owners = Vec::new();
    }
    explain(Kind::CustomerPurchasePermission, "x", &known).unwrap().next.unwrap()
}

#[test]
fn what_is_known_of_the_subscription_and_the_customer_stands_in_the_command() {
    let nobody = "az role assignment create --role Owner --assignee OBJECT-ID --scope /subscriptions/s";
    assert_eq!(next_of_owner("OwnerMissing", false).command.unwrap(), nobody);
    assert_eq!(next_of_owner("OwnerNotFound", true).command.unwrap(), "kubectl edit azsub/x -n n");
    let refused = next_of_owner("OwnerAssignmentNotAllowed", true);
    for part in ["--allow-owner-assignment", "settings.allowOwnerAssignment"] {
        assert!(refused.what.contains(part), "{refused:?}");
    }
    assert!(refused.command.unwrap().ends_with("--assignee ada@fabrikam.com --scope /subscriptions/s"));

    // The permission alone says so: its only subscription is meant.
    let mut known = known(("True", "OwnerHeld"), ("False", "OwnerMissing"));
    let explained = |known: &Known| {
        let found = explain(Kind::CustomerPurchasePermission, "x", known).unwrap();
        found.next.unwrap().command.unwrap()
    };
    assert_eq!(explained(&known), nobody);
    let reference = known.permissions[0].spec.azure_subscription_refs[0].clone();
    known.permissions[0].spec.azure_subscription_refs.push(reference);
    assert!(explained(&known).ends_with("/subscriptions/SUBSCRIPTION-ID"));

    let of = |reason| explained(&super::tests::known(("True", "OwnerHeld"), ("False", reason)));
    assert_eq!(of("Drifted"), "kubectl csp activity x -n n");
    assert_eq!(of("SubscriptionNotFound"), "kubectl csp export t");
}

#[test]
fn who_waits_for_the_operator_is_told_to_do_nothing() {
    let pending = next_of_owner("OwnerAssignmentPending", true);
    assert!(pending.what.starts_with("nothing"), "{pending:?}");
    assert_eq!(pending.command.unwrap(), "kubectl wait cpp/x -n n --for=condition=Ready --timeout=45m");
    let named = Named { kind: "Customer", namespace: "n".to_owned(), name: "x".to_owned() };
    let about = About { object: &named, customer: None, tenant: None, subscription: None };
    let next = advice("ConfirmingNoPlan", "m", &about);
    assert!(next.what.starts_with("nothing") && next.command.unwrap().starts_with("kubectl wait customer/x"));

    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbook.md");
    let runbook = std::fs::read_to_string(path).unwrap();
    let of_conditions: Vec<_> = ["Customer", "AzureSubscription", "CustomerPurchasePermission"]
        .into_iter()
        .flat_map(catalogue::of)
        .filter(|entry| entry.type_ != ConditionType::ActivityRecorded)
        .flat_map(|entry| entry.lacks)
        .chain(&catalogue::FAILURES)
        .collect();
    let mut seen = 0;
    for section in runbook.split("\n### ").skip(1) {
        let (reason, text) = section.split_once('\n').unwrap();
        if of_conditions.contains(&&reason)
            && text.replace('\n', " ").contains("**Do**: nothing")
            && reason != "Drifted"
        {
            let next = advice(reason, "m", &about);
            assert!(next.what.starts_with("nothing"), "{reason}: {}", next.what);
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
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
