//! What to do about a reason, and the command for it.

use super::Advice;
use super::chain::Named;

/// What a person can do about `object`, which waits for this. The message says it already for most reasons; here is the
/// command that goes with it.
pub(super) fn advice(reason: &str, message: &str, object: &Named) -> Advice {
    let Named { kind, namespace, name } = object;
    let resource = match *kind {
        "Customer" => "customer",
        "AzureSubscription" => "azsub",
        _ => "cpp",
    };
    let describe = format!("kubectl describe {resource} {name} -n {namespace}");
    let (what, command) = match reason {
        "CustomerNotFound" => (
            "apply the Customer that it names, or correct spec.customerRef",
            format!("kubectl csp tree -n {namespace}"),
        ),
        "SubscriptionNotFound" | "SubscriptionOfOtherCustomer" => (
            "compare the ids with what the customer has in Partner Center: the export lists its Azure subscriptions",
            "kubectl csp export TENANT".to_owned(),
        ),
        "IsAzurePlanId" => (
            "take the id of the Azure subscription instead of the Azure plan's: the export lists them",
            "kubectl csp export TENANT".to_owned(),
        ),
        "TenantUnknown" => (
            "compare spec.tenantId of the Customer with Partner Center, or accept the customer's reseller relationship there",
            format!("kubectl csp tree -n {namespace}"),
        ),
        "NotReseller" => (
            "ask the customer to accept the reseller relationship in Partner Center; until then nothing can be changed there",
            describe,
        ),
        "NoAzureSubscription" => (
            "buy an Azure plan for the customer in Partner Center, or set azurePlan: Purchase on its Customer",
            describe,
        ),
        "SubscriptionNotActive" => ("put the subscription in order in Partner Center or Azure", describe),
        "OwnerMissing" | "OwnerNotFound" => (
            "assign Owner in the Azure portal, or correct spec.owners of the AzureSubscription",
            "az role assignment create --role Owner --assignee OBJECT-ID --scope /subscriptions/SUBSCRIPTION-ID"
                .to_owned(),
        ),
        "CredentialsInvalid" | "MfaRequired" | "AppOnlyToken" | "ConditionalAccess" | "LoginNeeded"
        | "OtherPartner" => {
            ("sign in anew, with MFA, as an Admin agent of the partner", "kubectl csp login".to_owned())
        }
        "NotAdminAgent" => (
            "give the signed-in user the role Admin agent in Partner Center, or sign in as one who has it; a new role can take an hour",
            "kubectl csp login".to_owned(),
        ),
        "NamespaceNotAllowed" => (
            "have a cluster admin let the namespace act for the customer, as the message says",
            format!("kubectl get namespace {namespace} -o yaml"),
        ),
        "Conflict" => (
            "delete all but one of the permissions for this customer, or make them equal",
            "kubectl csp tree -A".to_owned(),
        ),
        "Drifted" => (
            "see who turned it; then change driftPolicy, the spec, or the switch in Partner Center",
            format!("kubectl csp activity -n {namespace}"),
        ),
        "Suspended" => (
            "set mode Enforce to have it go on",
            format!(
                "kubectl patch {resource} {name} -n {namespace} --type=merge -p '{{\"spec\":{{\"mode\":\"Enforce\"}}}}'"
            ),
        ),
        "GrantBudgetExceeded" => ("wait, or start the operator with a higher --max-grants-per-hour", describe),
        "PendingWrite" | "NotRead" | "InProgress" | "Unavailable" | "Throttled" | "TimedOut" => (
            "wait: it goes on by itself",
            format!("kubectl wait {resource}/{name} -n {namespace} --for=condition=Ready --timeout=5m"),
        ),
        _ if message.is_empty() => ("look at the whole object", describe),
        _ => ("as the message says; docs/runbook.md explains every reason", describe),
    };
    Advice { what: what.to_owned(), command: Some(command) }
}
