//! What the manifests declare: the objects of the three kinds, and for whom their namespaces may act.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::manifests::Manifest;
use super::super::terminal::printable;
use crate::api::{
    ALLOWED_CUSTOMERS_ANNOTATION, AzurePlanPolicy, CostManagement, Customer, CustomerPurchasePermission,
    DeletionPolicy, Mode, OwnerRole, PurchaseSwitch,
};
use crate::model::Switch;
use crate::plan::ObjectName;
use crate::plan::namespace::NamespaceRule;
use crate::reconcile::preview::Declared;

/// The group and version of the three kinds.
pub(in crate::cli) const API_VERSION: &str = "csp-operator.dev/v1alpha1";
/// Their group.
const GROUP: &str = "csp-operator.dev/";

/// Why nothing can be planned with these manifests.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DeclaredError {
    #[error("{0}")]
    Refused(String),
}

/// What the manifests declare.
#[derive(Debug)]
pub(in crate::cli) struct Found {
    pub(in crate::cli) objects: Declared,
    /// What the operator does about them that is not planned here; sentences.
    pub(in crate::cli) unplanned: Vec<String>,
}

impl Found {
    /// Whether there is none of the three kinds among them.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        let Declared { customers, subscriptions, permissions, .. } = &self.objects;
        customers.is_empty() && subscriptions.is_empty() && permissions.is_empty()
    }
}

/// Reads the objects out of `manifests`; those that name no namespace are in `namespace`.
pub(in crate::cli) fn declared(
    manifests: &[Manifest],
    namespace: &str,
    allow_all_namespaces: bool,
) -> Result<Found, DeclaredError> {
    let mut objects = Declared { rule_otherwise: Some(rule_otherwise(allow_all_namespaces)), ..Declared::default() };
    for manifest in manifests {
        let name = || ObjectName {
            namespace: manifest.namespace().unwrap_or(namespace).to_owned(),
            name: manifest.name().to_owned(),
        };
        match (manifest.api_version(), manifest.kind()) {
            ("v1", "Namespace") if !allow_all_namespaces => {
                let annotation = manifest.value()["metadata"]["annotations"][ALLOWED_CUSTOMERS_ANNOTATION].as_str();
                let earlier = objects.rules.insert(manifest.name().to_owned(), NamespaceRule::of(annotation));
                if earlier.is_some() {
                    return Err(refused(
                        manifest,
                        "",
                        "this Namespace stands in the files twice; keep the one that counts",
                    ));
                }
            }
            (API_VERSION, "Customer") => put(&mut objects.customers, name(), manifest)?,
            (API_VERSION, "AzureSubscription") => put(&mut objects.subscriptions, name(), manifest)?,
            (API_VERSION, "CustomerPurchasePermission") => put(&mut objects.permissions, name(), manifest)?,
            (version, kind) if version.starts_with(GROUP) => {
                return Err(refused(manifest, "", &format!("this version knows no kind {kind} of {version}")));
            }
            _ => {}
        }
    }
    let unplanned = unplanned(&objects);
    Ok(Found { objects, unplanned })
}

/// A permission that is no longer declared, and what is turned off when it is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Removed {
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) name: String,
    /// Fields of its spec.
    pub(in crate::cli) switches: Vec<&'static str>,
}

/// What `before` declares, `now` does not, and the operator would turn off. Whether it is on is not asked.
pub(in crate::cli) fn removed(before: &Declared, now: &Declared) -> Vec<Removed> {
    let gone = before.permissions.iter().filter(|(name, object)| {
        let is_revoked = object.spec.mode == Mode::Enforce && object.spec.deletion_policy != DeletionPolicy::Retain;
        is_revoked && !now.permissions.contains_key(name)
    });
    let removed = gone.map(|(name, CustomerPurchasePermission { spec, .. })| Removed {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        switches: [(Switch::Reservations, spec.azure_reservations), (Switch::SavingsPlans, spec.azure_savings_plans)]
            .into_iter()
            .filter(|(_, wish)| *wish == PurchaseSwitch::Allow)
            .map(|(switch, _)| switch.field())
            .collect(),
    });
    removed.filter(|one| !one.switches.is_empty()).collect()
}

fn rule_otherwise(allow_all_namespaces: bool) -> NamespaceRule {
    if allow_all_namespaces {
        return NamespaceRule::All;
    }
    NamespaceRule::Unknown {
        why: Some(format!(
            "the Namespace is not among the manifests; add it, with its annotation {ALLOWED_CUSTOMERS_ANNOTATION}, or say with --allow-all-namespaces that the operator runs with that"
        )),
    }
}

fn put<K: DeserializeOwned>(
    all: &mut BTreeMap<ObjectName, K>,
    name: ObjectName,
    manifest: &Manifest,
) -> Result<(), DeclaredError> {
    let mut value = manifest.value().clone();
    if let Some(fields) = value.as_object_mut() {
        // The API server takes none from a manifest.
        fields.remove("status");
    }
    let object = serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = format!("/{}", error.path().to_string().replace('.', "/"));
        refused(manifest, &pointer, &error.to_string())
    })?;
    match all.insert(name, object) {
        None => Ok(()),
        Some(_) => Err(refused(manifest, "", "an object of this kind and name stands in the files twice")),
    }
}

fn refused(manifest: &Manifest, pointer: &str, what: &str) -> DeclaredError {
    DeclaredError::Refused(format!("{}: {}", manifest.place(pointer), printable(what)))
}

/// What these objects let the operator do beside turning switches.
fn unplanned(objects: &Declared) -> Vec<String> {
    let list = |names: Vec<&ObjectName>| names.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let customers = |is_so: fn(&Customer) -> bool| {
        objects.customers.iter().filter(|(_, object)| is_so(object)).map(|(name, _)| name).collect::<Vec<_>>()
    };
    let assigning = objects.subscriptions.iter().filter(|(_, object)| object.spec.owner_role == OwnerRole::Assign);
    [
        (
            customers(|customer| customer.spec.azure_plan == AzurePlanPolicy::Purchase),
            "azurePlan Purchase: an operator with --allow-plan-purchase buys an Azure plan where there is none",
        ),
        (
            customers(|customer| customer.spec.cost_management != CostManagement::Unmanaged),
            "costManagement: whether the customer sees its charges is changed without being planned here",
        ),
        (
            assigning.map(|(name, _)| name).collect(),
            "ownerRole Assign: an operator with --allow-owner-assignment assigns Owner where it is missing, and grants then",
        ),
    ]
    .into_iter()
    .filter(|(names, _)| !names.is_empty())
    .map(|(names, what)| format!("{what} ({})", list(names)))
    .collect()
}
