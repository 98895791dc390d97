//! The three CRDs as they are shipped in `crds/`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt as _;
use serde_json::json;

use super::shared::NEVER_OBSERVED;
use super::{AzureSubscription, Customer, CustomerPurchasePermission};

/// The CRDs of all three kinds.
pub fn crds() -> [CustomResourceDefinition; 3] {
    [Customer::crd(), AzureSubscription::crd(), CustomerPurchasePermission::crd()].map(finish)
}

/// Adds what the derive cannot say.
fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    // Deleting a CRD deletes its objects and so revokes every permission: Helm, Argo CD and Flux are told to leave it.
    // Not by `#[kube(annotation(..))]`, which would put them on every object that `Kind::new` makes as well.
    crd.metadata.annotations.get_or_insert_default().extend([
        ("argocd.argoproj.io/sync-options".to_owned(), "Prune=false,Delete=false".to_owned()),
        ("helm.sh/resource-policy".to_owned(), "keep".to_owned()),
        ("kustomize.toolkit.fluxcd.io/prune".to_owned(), "disabled".to_owned()),
    ]);
    for version in &mut crd.spec.versions {
        let status = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
            .and_then(|root| root.properties.as_mut())
            .and_then(|properties| properties.get_mut("status"));
        // With this default a tool that reads `status.observedGeneration` never takes an object for current before its
        // first pass.
        if let Some(status) = status {
            status.default = Some(JSON(json!({ "observedGeneration": NEVER_OBSERVED })));
            status.nullable = None;
        }
    }
    crd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_could_be_taken_for_one_subscriptions_says_that_it_is_the_customers() {
        let crd = serde_json::to_value(&crds()[2]).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let spec = &schema["properties"]["spec"]["properties"];
        let fields = ["azureReservations", "azureSavingsPlans", "azureSubscriptionRefs"];
        for described in fields.map(|field| &spec[field]).into_iter().chain([schema]) {
            let words: Vec<_> = described["description"].as_str().unwrap_or_default().split_whitespace().collect();
            assert!(words.join(" ").contains("per customer, not per subscription"), "{words:?}");
        }
    }
}
