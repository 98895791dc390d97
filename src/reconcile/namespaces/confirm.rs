//! A namespace as it is right now, for a grant that is about to be sent.

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::{Api, Client};

use super::follow::{put, rule};
use crate::model::TenantId;
use crate::plan::CustomerRef;
use crate::reconcile::context::Context;
use crate::reconcile::error::Error;

/// Asks the API server whether a namespace may still act for a tenant: the watch may stall, and what a cluster admin has
/// taken back meanwhile must not go out. A revoke does not wait for this.
pub(in crate::reconcile) async fn make_sure(context: &Context, namespace: &str, tenant: TenantId) -> Result<(), Error> {
    if context.namespaces.allow_all {
        return Ok(());
    }
    let found = read(&context.client, namespace).await?;
    let verdict = judge(found.as_ref(), namespace, tenant);
    if let Err(Error::NamespaceNotAllowed { .. }) = verdict {
        // The next pass is to know, also while the watch does not.
        put(context, namespace, found.as_ref().map(rule).as_ref());
    }
    verdict
}

async fn read(client: &Client, namespace: &str) -> Result<Option<PartialObjectMeta<Namespace>>, Error> {
    let failed = |source| Error::NamespaceUnreadable { namespace: namespace.to_owned(), source: Box::new(source) };
    Api::<Namespace>::all(client.clone()).get_metadata_opt(namespace).await.map_err(failed)
}

/// Whether a namespace as it is now may act for a tenant. What is being deleted keeps what it has until its objects go, and
/// gets nothing new.
fn judge(found: Option<&PartialObjectMeta<Namespace>>, namespace: &str, tenant: TenantId) -> Result<(), Error> {
    if found.is_some_and(|found| found.metadata.deletion_timestamp.is_some()) {
        return Err(Error::NamespaceTerminating(namespace.to_owned()));
    }
    let is_allowed = found.is_some_and(|found| rule(found).refer(namespace, tenant) == CustomerRef::Found(tenant));
    if is_allowed { Ok(()) } else { Err(Error::NamespaceNotAllowed { namespace: namespace.to_owned(), tenant }) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::ALLOWED_CUSTOMERS_ANNOTATION;

    const TENANT: &str = "10000000-0000-4000-8000-000000000001";

    #[test]
    fn only_a_namespace_that_is_there_to_stay_and_lists_the_customer_may_act_for_it() {
        let tenant = TENANT.parse().unwrap();
        let other = "10000000-0000-4000-8000-000000000002";
        for (annotations, deleted, expected) in [
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: TENANT }), None, "ok"),
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: "*" }), None, "ok"),
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: other }), None, "conflict"),
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: "" }), None, "conflict"),
            (json!(null), None, "conflict"),
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: "*" }), Some("2026-03-02T08:00:00Z"), "namespace_terminating"),
            (json!(null), Some("2026-03-02T08:00:00Z"), "namespace_terminating"),
        ] {
            let metadata = json!({ "name": "ns", "annotations": annotations, "deletionTimestamp": deleted });
            let found = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
            let verdict = judge(Some(&found), "ns", tenant);
            assert_eq!(verdict.as_ref().map_or_else(Error::category, |()| "ok"), expected, "{metadata}");
        }
        assert!(judge(None, "ns", tenant).is_err(), "it is gone");
    }
}
