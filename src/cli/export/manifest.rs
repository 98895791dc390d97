//! The manifests of one customer, as text, since comments are half of what they tell.

use std::fmt::Write as _;

use super::names;
use crate::model::{CustomerProfile, OtherPermission, PermissionSet, SubscriptionId, Switch, TenantId};

/// Most subscriptions that a permission can name.
const REFS_MAX: usize = 50;

/// What Partner Center has of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) tenant: TenantId,
    pub(super) profile: CustomerProfile,
    pub(super) permissions: PermissionSet,
    /// The active ones, each once.
    pub(super) subscriptions: Vec<SubscriptionId>,
}

/// A Customer, its `AzureSubscription`s and its `CustomerPurchasePermission`, in this order. What Partner Center has is
/// what they say; the same facts give the same bytes.
pub(super) fn manifests(found: &Found, name: &str, namespace: Option<&str>) -> String {
    let Found { tenant, profile, permissions, subscriptions } = found;
    let mut ids = subscriptions.clone();
    ids.sort();
    let subscription_names: Vec<_> = names::of_subscriptions(name, &ids).iter().map(|name| scalar(name)).collect();
    let (name, namespace) = (scalar(name), namespace.map(scalar));
    let (name, namespace) = (name.as_str(), namespace.as_deref());
    let has_subscription = !ids.is_empty();

    let mut text = format!("# {}\n", title(profile));
    text += &object("Customer", name, namespace);
    line(&mut text, format_args!("spec:\n  tenantId: {tenant}"));
    for (id, subscription) in ids.iter().zip(&subscription_names) {
        text += &object("AzureSubscription", subscription, namespace);
        line(&mut text, format_args!("spec:\n  customerRef:\n    name: {name}"));
        line(&mut text, format_args!("  subscriptionId: {id}\n  ownerRole: Verify"));
    }
    text += &object("CustomerPurchasePermission", name, namespace);
    line(&mut text, format_args!("spec:\n  customerRef:\n    name: {name}"));
    for switch in Switch::ALL {
        if permissions.allows(switch) && !has_subscription {
            text += "  # It is on, and cannot be declared so: the customer has no active Azure subscription to name. Deny turns it off.\n";
        }
        line(&mut text, format_args!("  {switch}: {}", wish(permissions.allows(switch), has_subscription)));
    }
    if !permissions.others().is_empty() {
        let others: Vec<_> = permissions.others().iter().map(entry).collect();
        line(
            &mut text,
            format_args!(
                "  # Partner Center holds more for this customer, which is kept as it is: {}.",
                others.join(", ")
            ),
        );
    }
    if has_subscription {
        if ids.len() > REFS_MAX {
            line(&mut text, format_args!("  # The first {REFS_MAX} of {}: no more can be named.", ids.len()));
        }
        text += "  azureSubscriptionRefs:\n";
        for subscription in subscription_names.iter().take(REFS_MAX) {
            line(&mut text, format_args!("    - name: {subscription}"));
        }
    }
    if has_subscription && permissions.allowed().next().is_some() {
        text += "  # Before mode is Enforce, somebody has to accept here, with true, that the partner pays for what the customer buys.\n";
        text += "  acceptBillingResponsibility: false\n";
    }
    text += "  # Observe writes nothing. Enforce keeps Partner Center as declared here, and turns off on deletion what is on.\n";
    text += "  mode: Observe\n";
    text
}

fn object(kind: &str, name: &str, namespace: Option<&str>) -> String {
    let namespace = namespace.map(|namespace| format!("  namespace: {namespace}\n")).unwrap_or_default();
    format!("---\napiVersion: csp-operator.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\n{namespace}")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

/// A name as YAML takes it for text, and not for a number, a date, a truth value or nothing.
fn scalar(name: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let is_text = !name.starts_with(|first: char| first.is_ascii_digit()) && !WORDS.contains(&name);
    if is_text { name.to_owned() } else { format!("\"{name}\"") }
}

/// What is so, declared as a wish.
fn wish(is_on: bool, has_subscription: bool) -> &'static str {
    match (is_on, has_subscription) {
        (true, true) => "Allow",
        (true, false) => "Unmanaged",
        (false, _) => "Deny",
    }
}

fn title(profile: &CustomerProfile) -> String {
    let name = profile.company_name.as_deref().unwrap_or("a customer without a name");
    let domain = profile.domain.as_deref().map(|domain| format!(" ({domain})")).unwrap_or_default();
    comment(&format!("{name}{domain}"))
}

fn entry(other: &OtherPermission) -> String {
    comment(&format!("{} ({})", other.resource, other.action))
}

/// Text from outside on the rest of a line: YAML knows more ends of lines than a terminal does.
fn comment(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphanumeric() || letter.is_ascii_graphic() || *letter == ' ')
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{AzureSubscription, Customer, CustomerPurchasePermission};
    use crate::model::Relationship;

    const TENANT: &str = "c1a0c1a0-1111-4a11-8a11-000000000001";

    fn found(allowed: &[Switch], subscriptions: u8) -> Found {
        let id = |last: u8| format!("3000000{}-0000-4000-8000-0000000000{last:02x}", last % 10).parse().unwrap();
        Found {
            tenant: TENANT.parse().unwrap(),
            profile: CustomerProfile {
                company_name: Some("Fabrikam".into()),
                domain: Some("fabrikam.onmicrosoft.com".into()),
                custom_domains: Vec::new(),
                relationship: Relationship::Reseller,
            },
            permissions: PermissionSet::new(allowed.iter().copied(), Vec::new()),
            subscriptions: (1..=subscriptions).rev().map(id).collect(),
        }
    }

    fn documents(text: &str) -> Vec<Value> {
        let parse = |document| Value::deserialize(document).unwrap();
        serde_yaml::Deserializer::from_str(text).map(parse).filter(|value| !value.is_null()).collect()
    }

    /// The spec of the permission, and whether everything is of the kinds that the operator knows.
    fn spec(text: &str) -> Value {
        let mut all = documents(text);
        let permission = all.pop().unwrap();
        serde_json::from_value::<CustomerPurchasePermission>(permission.clone()).unwrap();
        serde_json::from_value::<Customer>(all.remove(0)).unwrap();
        for subscription in all {
            serde_json::from_value::<AzureSubscription>(subscription).unwrap();
        }
        permission["spec"].clone()
    }

    #[test]
    fn all_three_kinds_say_what_partner_center_has() {
        let expected = "\
# Fabrikam (fabrikam.onmicrosoft.com)
---
apiVersion: csp-operator.dev/v1alpha1
kind: Customer
metadata:
  name: fabrikam
  namespace: customers
spec:
  tenantId: c1a0c1a0-1111-4a11-8a11-000000000001
---
apiVersion: csp-operator.dev/v1alpha1
kind: AzureSubscription
metadata:
  name: fabrikam-30000001
  namespace: customers
spec:
  customerRef:
    name: fabrikam
  subscriptionId: 30000001-0000-4000-8000-000000000001
  ownerRole: Verify
---
apiVersion: csp-operator.dev/v1alpha1
kind: CustomerPurchasePermission
metadata:
  name: fabrikam
  namespace: customers
spec:
  customerRef:
    name: fabrikam
  azureReservations: Allow
  azureSavingsPlans: Deny
  azureSubscriptionRefs:
    - name: fabrikam-30000001
  # Before mode is Enforce, somebody has to accept here, with true, that the partner pays for what the customer buys.
  acceptBillingResponsibility: false
  # Observe writes nothing. Enforce keeps Partner Center as declared here, and turns off on deletion what is on.
  mode: Observe
";
        assert_eq!(manifests(&found(&[Switch::Reservations], 1), "fabrikam", Some("customers")), expected);
    }

    #[test]
    fn what_is_off_is_denied_and_nobody_is_asked_to_accept_a_bill() {
        let text = manifests(&found(&[], 1), "fabrikam", None);
        let expected = json!({
            "customerRef": { "name": "fabrikam" }, "azureReservations": "Deny", "azureSavingsPlans": "Deny",
            "azureSubscriptionRefs": [{ "name": "fabrikam-30000001" }], "mode": "Observe",
        });
        assert_eq!(spec(&text), expected);
        assert!(!text.contains("acceptBilling") && !text.contains("namespace"), "{text}");
    }

    #[test]
    fn what_is_on_without_a_subscription_is_left_as_it_is() {
        let text = manifests(&found(&[Switch::SavingsPlans], 0), "fabrikam", None);
        let expected = json!({
            "customerRef": { "name": "fabrikam" }, "azureReservations": "Deny", "azureSavingsPlans": "Unmanaged",
            "mode": "Observe",
        });
        assert_eq!(spec(&text), expected);
        assert!(text.contains("# It is on, and cannot be declared so"), "{text}");
    }

    #[test]
    fn no_more_subscriptions_are_named_than_can_be_and_their_order_is_theirs() {
        let both = found(&Switch::ALL, 60);
        let text = manifests(&both, "fabrikam", None);
        assert_eq!(spec(&text)["azureSubscriptionRefs"].as_array().unwrap().len(), 50);
        assert_eq!(documents(&text).len(), 62);
        assert!(text.contains("# The first 50 of 60"), "{text}");
        let mut turned = both.clone();
        turned.subscriptions.reverse();
        assert_eq!(manifests(&turned, "fabrikam", None), text);
    }

    #[test]
    fn a_name_is_text_whatever_it_looks_like() {
        for name in ["365", "1e9", "0x1f", "2026-01-01", "null", "true", "no", "on", "y", "3m"] {
            let text = manifests(&found(&[], 1), name, Some(name));
            let spec = spec(&text);
            assert_eq!((&spec["customerRef"]["name"], documents(&text).len()), (&json!(name), 3));
            assert!(documents(&text).iter().all(|one| one["metadata"]["namespace"] == *name), "{text}");
            assert!(text.contains(&format!("namespace: \"{name}\"")), "{text}");
        }
    }

    #[test]
    fn text_from_outside_stays_in_its_comment() {
        let mut hostile = found(&[Switch::Reservations], 1);
        let plain = spec(&manifests(&hostile, "fabrikam", None));
        let breaks = "x\n---\nkind: Secret\r\u{85}\u{2028}\u{2029}\u{feff}\u{1b}[31m";
        hostile.profile.company_name = Some(breaks.into());
        hostile.profile.domain = Some(breaks.into());
        let other = OtherPermission { resource: breaks.into(), action: "Purchase".into() };
        hostile.permissions = PermissionSet::new([Switch::Reservations], vec![other]);
        let text = manifests(&hostile, "fabrikam", None);
        assert_eq!(spec(&text), plain);
        assert_eq!(documents(&text).len(), 3);
        assert!(text.contains("# Partner Center holds more for this customer, which is kept as it is: x---kind: Secret[31m (Purchase)."), "{text}");
        assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()));
    }
}
