//! `kubectl csp tree`: customers with what belongs to them, and references that lead nowhere.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use serde::Serialize;

use super::args::TreeArgs;
use super::objects::{ListError, Objects};
use super::table::{FormatError, structured, table};
use super::terminal::{printable, report, say};
use crate::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use crate::plan::conditions::{ConditionType, find};

/// Everything, as it is printed for programs.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tree {
    customers: Vec<Branch>,
    /// References to what does not exist.
    dangling: Vec<Dangling>,
}

/// A customer, and what belongs to it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Branch {
    #[serde(flatten)]
    object: Leaf,
    tenant_id: String,
    company_name: Option<String>,
    azure_subscriptions: Vec<Leaf>,
    customer_purchase_permissions: Vec<Permission>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Leaf {
    namespace: String,
    name: String,
    /// `True`, `False` or `Unknown`; absent before the operator has looked.
    ready: Option<String>,
    reason: Option<String>,
}

/// A permission, with what Partner Center holds.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Permission {
    #[serde(flatten)]
    object: Leaf,
    azure_reservations: Option<String>,
    azure_savings_plans: Option<String>,
}

/// An object, and what it names in vain.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dangling {
    kind: &'static str,
    namespace: String,
    name: String,
    missing_kind: &'static str,
    missing_name: String,
}

/// Prints the tree.
pub(super) async fn run(args: &TreeArgs) -> Result<(), ListError> {
    let objects = Objects::open(&args.objects).await?;
    let (customers, subscriptions) = (objects.list().await?, objects.list().await?);
    let mut tree = tree(&customers, &subscriptions, &objects.list().await?);
    if let Some(customer) = &args.customer {
        tree.customers.retain(|one| one.object.name == *customer || one.tenant_id.eq_ignore_ascii_case(customer));
        tree.dangling.retain(|one| one.missing_name == *customer);
        if tree.customers.is_empty() && tree.dangling.is_empty() {
            return Err(objects.lack(customer));
        }
    }
    match structured(&tree, args.output)? {
        Some(text) => report(text.trim_end()).map_err(FormatError::from)?,
        None if tree == Tree::default() => say(&format!("No Customers found in {}.", objects.place())),
        None => report(&text(&tree)).map_err(FormatError::from)?,
    }
    Ok(())
}

fn leaf(metadata: &ObjectMeta, conditions: Option<&Vec<Condition>>) -> Leaf {
    let ready = conditions.and_then(|conditions| find(conditions, ConditionType::Ready));
    Leaf {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        ready: ready.map(|ready| ready.status.clone()),
        reason: ready.map(|ready| ready.reason.clone()),
    }
}

fn tree(
    customers: &[Customer],
    subscriptions: &[AzureSubscription],
    permissions: &[CustomerPurchasePermission],
) -> Tree {
    let mut dangling = Vec::new();
    let mut branches: BTreeMap<(String, String), Branch> = BTreeMap::new();
    for customer in customers {
        let object = leaf(&customer.metadata, customer.status.as_ref().map(|status| &status.conditions));
        let branch = Branch {
            tenant_id: customer.spec.tenant_id.clone(),
            company_name: customer.status.as_ref().and_then(|status| status.company_name.clone()),
            azure_subscriptions: Vec::new(),
            customer_purchase_permissions: Vec::new(),
            object: object.clone(),
        };
        branches.insert((object.namespace, object.name), branch);
    }
    let mut miss = |kind: &'static str, object: &Leaf, missing_kind: &'static str, missing_name: &str| {
        dangling.push(Dangling {
            kind,
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            missing_kind,
            missing_name: missing_name.to_owned(),
        });
    };
    let mut known = BTreeSet::new();
    for subscription in subscriptions {
        let object = leaf(&subscription.metadata, subscription.status.as_ref().map(|status| &status.conditions));
        known.insert((object.namespace.clone(), object.name.clone()));
        let customer = &subscription.spec.customer_ref.name;
        match branches.get_mut(&(object.namespace.clone(), customer.clone())) {
            Some(branch) => branch.azure_subscriptions.push(object),
            None => miss("AzureSubscription", &object, "Customer", customer),
        }
    }
    for permission in permissions {
        let object = leaf(&permission.metadata, permission.status.as_ref().map(|status| &status.conditions));
        for reference in &permission.spec.azure_subscription_refs {
            if !known.contains(&(object.namespace.clone(), reference.name.clone())) {
                miss("CustomerPurchasePermission", &object, "AzureSubscription", &reference.name);
            }
        }
        let customer = &permission.spec.customer_ref.name;
        let Some(branch) = branches.get_mut(&(object.namespace.clone(), customer.clone())) else {
            miss("CustomerPurchasePermission", &object, "Customer", customer);
            continue;
        };
        let effective = permission.status.as_ref().and_then(|status| status.effective.clone()).unwrap_or_default();
        let word = |switch: Option<crate::api::SwitchStatus>| switch.map(|switch| format!("{:?}", switch.state));
        branch.customer_purchase_permissions.push(Permission {
            object,
            azure_reservations: word(effective.azure_reservations),
            azure_savings_plans: word(effective.azure_savings_plans),
        });
    }
    let mut customers: Vec<_> = branches.into_values().collect();
    for branch in &mut customers {
        branch.azure_subscriptions.sort();
        branch.customer_purchase_permissions.sort_by(|a, b| a.object.cmp(&b.object));
    }
    dangling.sort();
    Tree { customers, dangling }
}

fn text(tree: &Tree) -> String {
    let mut rows = Vec::new();
    let word = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), |text| printable(text));
    let row = |name: String, object: &Leaf, switches: [String; 2]| {
        let [reservations, savings_plans] = switches;
        [name, word(object.ready.as_ref()), word(object.reason.as_ref()), reservations, savings_plans]
    };
    let none = || [String::new(), String::new()];
    for branch in &tree.customers {
        let Leaf { namespace, name, .. } = &branch.object;
        let company = branch.company_name.as_deref().map(|name| format!(" ({})", printable(name))).unwrap_or_default();
        rows.push(row(format!("Customer {namespace}/{name}{company}"), &branch.object, none()));
        let count = branch.azure_subscriptions.len() + branch.customer_purchase_permissions.len();
        let glyph = |index: usize| if index + 1 == count { "└─" } else { "├─" };
        for (index, object) in branch.azure_subscriptions.iter().enumerate() {
            rows.push(row(format!("{} AzureSubscription {}", glyph(index), object.name), object, none()));
        }
        for (index, permission) in branch.customer_purchase_permissions.iter().enumerate() {
            let object = &permission.object;
            let name = format!(
                "{} CustomerPurchasePermission {}",
                glyph(branch.azure_subscriptions.len() + index),
                object.name
            );
            let switches = [&permission.azure_reservations, &permission.azure_savings_plans];
            rows.push(row(name, object, switches.map(|switch| word(switch.as_ref()))));
        }
    }
    let mut text = if rows.is_empty() {
        String::new()
    } else {
        table(["NAME", "READY", "REASON", "RESERVATIONS", "SAVINGS-PLANS"], &rows)
    };
    if !tree.dangling.is_empty() {
        let lines = tree.dangling.iter().map(|one| {
            let Dangling { kind, namespace, name, missing_kind, missing_name } = one;
            let what = format!("{kind} {namespace}/{name} names {missing_kind} {missing_name}, which does not exist");
            format!("  {}", printable(&what))
        });
        let lines: Vec<_> = lines.collect();
        let gap = if text.is_empty() { "" } else { "\n\n" };
        text = format!("{text}{gap}References that lead nowhere:\n{}", lines.join("\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_belongs_to_a_customer_stands_below_it_and_what_leads_nowhere_at_the_end() {
        let object = |kind: &str, name: &str, spec: serde_json::Value| {
            json!({
                "apiVersion": "csp-operator.dev/v1alpha1", "kind": kind, "metadata": { "namespace": "n", "name": name }, "spec": spec,
            })
        };
        let customer: Customer = serde_json::from_value(object("Customer", "c", json!({ "tenantId": "t" }))).unwrap();
        let subscription = |name: &str, of: &str| -> AzureSubscription {
            serde_json::from_value(object(
                "AzureSubscription",
                name,
                json!({ "customerRef": { "name": of }, "subscriptionId": "s" }),
            ))
            .unwrap()
        };
        let permission: CustomerPurchasePermission = serde_json::from_value(object(
            "CustomerPurchasePermission",
            "p",
            json!({ "customerRef": { "name": "c" }, "azureSubscriptionRefs": [{ "name": "a" }, { "name": "gone" }] }),
        ))
        .unwrap();
        let tree = tree(&[customer], &[subscription("b", "nobody"), subscription("a", "c")], &[permission]);
        let expected = "\
NAME                              READY   REASON   RESERVATIONS   SAVINGS-PLANS
Customer n/c                      -       -
├─ AzureSubscription a            -       -
└─ CustomerPurchasePermission p   -       -        -              -

References that lead nowhere:
  AzureSubscription n/b names Customer nobody, which does not exist
  CustomerPurchasePermission n/p names AzureSubscription gone, which does not exist";
        assert_eq!(text(&tree), expected);
    }
}
