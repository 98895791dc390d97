//! The chain of what an object waits for, out of the statuses.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, ResourceExt as _};

use super::{Kind, Step};
use crate::api::{AzureSubscription, Customer, CustomerPurchasePermission, OwnerState};
use crate::plan::conditions::{ConditionType, find};

/// All objects of a namespace.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) customers: Vec<Customer>,
    pub(super) subscriptions: Vec<AzureSubscription>,
    pub(super) permissions: Vec<CustomerPurchasePermission>,
}

/// An object's kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Named {
    pub(super) fn of<K: Resource>(kind: &'static str, object: &K) -> Self {
        Self {
            kind,
            namespace: object.meta().namespace.clone().unwrap_or_default(),
            name: object.meta().name.clone().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

const CUSTOMER: &str = "Is the customer known to Partner Center, resold by the partner, and allowed to this namespace?";
const PARTNER: &str = "May the sign-in change purchase permissions?";
const SUBSCRIPTION: &str = "Is the Azure subscription active, and the customer's?";
const OWNERS: &str = "Do the key users hold Owner on it?";
const SYNCED: &str = "Does Partner Center hold what is declared?";
const PLAN: &str = "Has the customer an Azure plan?";
const COST: &str = "Does the customer see its charges, or not, as declared?";
const PURCHASES: &str = "Is it known what the customer has bought?";

/// Of a permission: its Customer, its subscriptions and their owners, the sign-in, and what Partner Center holds.
pub(super) fn of_permission(object: &CustomerPurchasePermission, known: &Known) -> Vec<Step> {
    let conditions = object.status.as_ref().map_or(&[] as &[_], |status| &status.conditions);
    let me = Named::of(Kind::CustomerPurchasePermission.as_str(), object);
    let mut steps: Vec<_> = step(CUSTOMER, &me, conditions, ConditionType::CustomerResolved).into_iter().collect();
    for reference in &object.spec.azure_subscription_refs {
        match known.subscriptions.iter().find(|one| one.name_any() == reference.name) {
            Some(subscription) => steps.extend(of_azure(subscription)),
            None => steps.push(Step {
                question: SUBSCRIPTION,
                object: format!("AzureSubscription {}/{}", me.namespace, reference.name),
                condition: "AzureSubscriptionVerified".to_owned(),
                status: "False".to_owned(),
                reason: "SubscriptionNotFound".to_owned(),
                message: "there is no such object".to_owned(),
                since: None,
                command: None,
            }),
        }
    }
    // What the permission itself says of them may differ: it wants all of them, and its own customer's.
    for (question, type_) in [
        (SUBSCRIPTION, ConditionType::AzureSubscriptionVerified),
        (OWNERS, ConditionType::OwnerRoleVerified),
        (PARTNER, ConditionType::PartnerAuthorized),
        (SYNCED, ConditionType::Synced),
    ] {
        steps.extend(step(question, &me, conditions, type_));
    }
    steps
}

/// Of a customer.
pub(super) fn of_customer(object: &Customer) -> Vec<Step> {
    let conditions = object.status.as_ref().map_or(&[] as &[_], |status| &status.conditions);
    let me = Named::of(Kind::Customer.as_str(), object);
    [
        (CUSTOMER, ConditionType::CustomerResolved),
        (PLAN, ConditionType::AzurePlanVerified),
        (COST, ConditionType::CostManagementSynced),
        (PURCHASES, ConditionType::PurchasesRecorded),
    ]
    .into_iter()
    .filter_map(|(question, type_)| step(question, &me, conditions, type_))
    .collect()
}

/// Of an Azure subscription: its Customer, and itself.
pub(super) fn of_subscription(object: &AzureSubscription, known: &Known) -> Vec<Step> {
    let customer = known.customers.iter().find(|one| one.name_any() == object.spec.customer_ref.name);
    let above = customer.and_then(|customer| {
        let conditions = customer.status.as_ref().map_or(&[] as &[_], |status| &status.conditions);
        step(CUSTOMER, &Named::of(Kind::Customer.as_str(), customer), conditions, ConditionType::CustomerResolved)
    });
    above.into_iter().chain(of_azure(object)).collect()
}

fn of_azure(object: &AzureSubscription) -> Vec<Step> {
    let conditions = object.status.as_ref().map_or(&[] as &[_], |status| &status.conditions);
    let me = Named::of(Kind::AzureSubscription.as_str(), object);
    let mut steps: Vec<_> = [
        (CUSTOMER, ConditionType::CustomerResolved),
        (SUBSCRIPTION, ConditionType::AzureSubscriptionVerified),
        (OWNERS, ConditionType::OwnerRoleVerified),
    ]
    .into_iter()
    .filter_map(|(question, type_)| step(question, &me, conditions, type_))
    .collect();
    let owners = object.status.iter().flat_map(|status| &status.owners);
    let lacking: Vec<_> = owners.filter(|owner| owner.result != OwnerState::Holds).collect();
    if let (Some(last), Some(first)) = (steps.last_mut().filter(|last| last.question == OWNERS), lacking.first()) {
        let told: Vec<_> = lacking.iter().map(|owner| format!("{} ({:?})", owner.name, owner.result)).collect();
        last.message = format!("{}. Of spec.owners: {}", last.message.trim_end_matches('.'), told.join(", "));
        let (id, subscription) = (first.object_id.as_ref().unwrap_or(&first.name), &object.spec.subscription_id);
        // While the operator assigns it itself, nobody else is to.
        let is_missing = first.result == OwnerState::Missing
            && ["OwnerMissing", "OwnerAssignmentNotAllowed", "OwnerAssignmentRefused"].contains(&last.reason.as_str());
        last.command = is_missing.then(|| {
            format!("az role assignment create --role Owner --assignee {id} --scope /subscriptions/{subscription}")
        });
    }
    steps
}

fn step(question: &'static str, object: &Named, conditions: &[Condition], type_: ConditionType) -> Option<Step> {
    let condition = find(conditions, type_)?;
    Some(Step {
        question,
        object: object.to_string(),
        condition: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: Some(condition.last_transition_time.0),
        command: None,
    })
}

/// The name of the Customer that an object is about.
pub(super) fn customer<'a>(kind: Kind, name: &'a str, known: &'a Known) -> Option<&'a str> {
    Some(match kind {
        Kind::Customer => name,
        Kind::AzureSubscription => {
            &known.subscriptions.iter().find(|one| one.name_any() == name)?.spec.customer_ref.name
        }
        Kind::CustomerPurchasePermission => {
            &known.permissions.iter().find(|one| one.name_any() == name)?.spec.customer_ref.name
        }
    })
}

/// The tenant that an object is about, if its Customer tells.
pub(super) fn tenant<'a>(kind: Kind, name: &'a str, known: &'a Known) -> Option<&'a str> {
    let customer = customer(kind, name, known)?;
    let customer = known.customers.iter().find(|one| one.name_any() == customer)?;
    Some(&customer.spec.tenant_id)
}

/// The subscription that `step` is of, or else the only one that the object can mean.
pub(super) fn subscription<'a>(
    kind: Kind,
    name: &str,
    known: &'a Known,
    step: Option<&Step>,
) -> Option<&'a AzureSubscription> {
    let is_of = |one: &&AzureSubscription| {
        step.is_some_and(|step| step.object == Named::of(Kind::AzureSubscription.as_str(), *one).to_string())
    };
    let by_name = |name: &str| known.subscriptions.iter().find(|one| one.name_any() == name);
    known.subscriptions.iter().find(is_of).or_else(|| match kind {
        Kind::Customer => None,
        Kind::AzureSubscription => by_name(name),
        Kind::CustomerPurchasePermission => {
            let permission = known.permissions.iter().find(|one| one.name_any() == name)?;
            match permission.spec.azure_subscription_refs.as_slice() {
                [only] => by_name(&only.name),
                _ => None,
            }
        }
    })
}

/// The summary of an object.
pub(super) fn ready<'a>(kind: Kind, name: &str, known: &'a Known) -> Option<&'a Condition> {
    let conditions = match kind {
        Kind::Customer => &known.customers.iter().find(|one| one.name_any() == name)?.status.as_ref()?.conditions,
        Kind::AzureSubscription => {
            &known.subscriptions.iter().find(|one| one.name_any() == name)?.status.as_ref()?.conditions
        }
        Kind::CustomerPurchasePermission => {
            &known.permissions.iter().find(|one| one.name_any() == name)?.status.as_ref()?.conditions
        }
    };
    find(conditions, ConditionType::Ready)
}
