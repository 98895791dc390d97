//! What objects say of each other, and nobody would be told when they are applied: the API server takes each by itself.

use std::collections::BTreeMap;

use super::super::manifests::Manifest;
use super::{Problem, Severity};
use crate::api::{ALLOWED_CUSTOMERS_ANNOTATION, AzureSubscription, Customer, CustomerPurchasePermission, Mode};
use crate::model::TenantId;
use crate::plan::CustomerRef;
use crate::plan::namespace::NamespaceRule;
use crate::plan::permission::{Contender, Desired, Ownership, ownership};

/// Objects of one kind by namespace and name, each with where it stands.
type Known<'a, K> = BTreeMap<(String, String), (&'a Manifest, K)>;

/// What of `manifests` would come to nothing together.
pub(super) fn check(manifests: &[Manifest], namespace: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let customers: Known<'_, Customer> = known(manifests, "Customer", namespace, &mut problems);
    let subscriptions: Known<'_, AzureSubscription> = known(manifests, "AzureSubscription", namespace, &mut problems);
    let permissions: Known<'_, CustomerPurchasePermission> =
        known(manifests, "CustomerPurchasePermission", namespace, &mut problems);
    let mut warn = |manifest: &Manifest, pointer: &str, what: String| {
        problems.push(Problem::new(Severity::Warning, manifest, pointer, what));
    };
    let rules = rules(manifests);

    for ((place, _), (manifest, customer)) in &customers {
        let Ok(tenant) = customer.spec.tenant_id.parse::<TenantId>() else { continue };
        if let Some(rule) = rules.get(place.as_str())
            && let CustomerRef::NotAllowed { why, .. } = rule.refer(place, tenant)
        {
            warn(manifest, "/spec/tenantId", why);
        }
    }
    for ((place, _), (manifest, subscription)) in &subscriptions {
        let name = &subscription.spec.customer_ref.name;
        if !customers.contains_key(&(place.clone(), name.clone())) {
            warn(manifest, "/spec/customerRef/name", missing("Customer", name, place));
        }
    }
    for ((place, _), (manifest, permission)) in &permissions {
        let customer = &permission.spec.customer_ref.name;
        if !customers.contains_key(&(place.clone(), customer.clone())) {
            warn(manifest, "/spec/customerRef/name", missing("Customer", customer, place));
        }
        for (index, reference) in permission.spec.azure_subscription_refs.iter().enumerate() {
            let pointer = format!("/spec/azureSubscriptionRefs/{index}/name");
            match subscriptions.get(&(place.clone(), reference.name.clone())) {
                None => warn(manifest, &pointer, missing("AzureSubscription", &reference.name, place)),
                Some((_, found)) if found.spec.customer_ref.name != *customer => {
                    let (other, name) = (&found.spec.customer_ref.name, &reference.name);
                    warn(
                        manifest,
                        &pointer,
                        format!(
                            "AzureSubscription \"{name}\" belongs to Customer \"{other}\", this object to \"{customer}\": nothing is granted on the strength of it"
                        ),
                    );
                }
                Some(_) => {}
            }
        }
    }
    problems.extend(rivals(&customers, &permissions));
    problems
}

fn missing(kind: &str, name: &str, namespace: &str) -> String {
    format!(
        "there is no {kind} \"{name}\" for namespace {namespace} in these files; nothing is granted until there is one"
    )
}

fn known<'a, K: serde::de::DeserializeOwned>(
    manifests: &'a [Manifest],
    kind: &str,
    namespace: &str,
    problems: &mut Vec<Problem>,
) -> Known<'a, K> {
    let mut known: Known<'a, K> = BTreeMap::new();
    for manifest in manifests.iter().filter(|one| one.kind() == kind && one.api_version().starts_with(super::GROUP)) {
        // What cannot be read is an error of its own.
        let Ok(object) = K::deserialize(manifest.value()) else { continue };
        let place = manifest.namespace().unwrap_or(namespace).to_owned();
        if let Some((first, _)) = known.insert((place.clone(), manifest.name().to_owned()), (manifest, object)) {
            let what = format!(
                "stands in {}:{} as well, for namespace {place}; the later one wins",
                first.file,
                first.line("")
            );
            problems.push(Problem::new(Severity::Warning, manifest, "/metadata/name", what));
        }
    }
    known
}

/// For whom the namespaces may act that are among `manifests`.
fn rules(manifests: &[Manifest]) -> BTreeMap<&str, NamespaceRule> {
    let namespaces = manifests.iter().filter(|one| one.api_version() == "v1" && one.kind() == "Namespace");
    namespaces
        .map(|one| {
            let annotation = one.value()["metadata"]["annotations"][ALLOWED_CUSTOMERS_ANNOTATION].as_str();
            (one.name(), NamespaceRule::of(annotation))
        })
        .collect()
}

/// Permissions that stand in each other's way, as the planner would see it.
fn rivals(customers: &Known<'_, Customer>, permissions: &Known<'_, CustomerPurchasePermission>) -> Vec<Problem> {
    let mut by_tenant: BTreeMap<TenantId, Vec<(&Manifest, Contender)>> = BTreeMap::new();
    for ((place, name), (manifest, permission)) in permissions {
        let mut permission = permission.clone();
        permission.metadata.namespace = Some(place.clone());
        permission.metadata.uid = Some(format!("{place}/{name}"));
        let Some(desired) = Desired::of(&permission).filter(|desired| desired.mode == Mode::Enforce) else { continue };
        let customer = customers.get(&(place.clone(), desired.customer.clone()));
        let Some(Ok(tenant)) = customer.map(|(_, customer)| customer.spec.tenant_id.parse()) else { continue };
        if let Some(contender) = Contender::of(&desired, tenant, &CustomerRef::Found(tenant), &[]) {
            by_tenant.entry(tenant).or_default().push((manifest, contender));
        }
    }
    let mut problems = Vec::new();
    for (tenant, all) in by_tenant.iter().filter(|(_, all)| all.len() > 1) {
        for (manifest, me) in all {
            let others: Vec<_> = all.iter().map(|(_, one)| one).filter(|one| one.uid != me.uid).cloned().collect();
            let what = match ownership(me, &others) {
                Ownership::Mine => continue,
                Ownership::Of(other) => format!(
                    "{other} is for the same customer, tenant {tenant}, and wishes the same: only the older of the two acts"
                ),
                Ownership::Contested(names) => {
                    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                    format!(
                        "tenant {tenant} is also meant, with other wishes, by {}: nothing is written for any of them",
                        names.join(", ")
                    )
                }
            };
            problems.push(Problem::new(Severity::Warning, manifest, "/spec/customerRef/name", what));
        }
    }
    problems
}
