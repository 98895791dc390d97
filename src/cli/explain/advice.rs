//! What to do about a reason, and the command for it.

use kube::ResourceExt as _;

use super::Advice;
use super::chain::Named;
use crate::api::AzureSubscription;

/// What advice is given about. What is not known stands in a command as a placeholder in capitals.
pub(super) struct About<'a> {
    /// Which waits.
    pub(super) object: &'a Named,
    /// Name of its Customer.
    pub(super) customer: Option<&'a str>,
    pub(super) tenant: Option<&'a str>,
    /// The one that it waits for.
    pub(super) subscription: Option<&'a AzureSubscription>,
}

/// What a person can do about an object that waits for this. The message says it already for most reasons; here is the
/// command that goes with it.
pub(super) fn advice(reason: &str, message: &str, about: &About<'_>) -> Advice {
    let otherwise = if message.is_empty() {
        "look at the whole object"
    } else {
        "as the message says; docs/runbook.md of csp-operator explains every reason"
    };
    let (what, command) =
        nothing(reason, about).or_else(|| known(reason, about)).unwrap_or_else(|| (otherwise, describe(about)));
    Advice { what: what.to_owned(), command: Some(command) }
}

/// For `kubectl`: kind, name and namespace.
fn resource(Named { kind, namespace, name }: &Named) -> String {
    let kind = match *kind {
        "Customer" => "customer",
        "AzureSubscription" => "azsub",
        _ => "cpp",
    };
    format!("{kind}/{name} -n {namespace}")
}

fn describe(about: &About<'_>) -> String {
    format!("kubectl describe {}", resource(about.object))
}

fn activity(about: &About<'_>) -> String {
    format!("kubectl csp activity {} -n {}", about.customer.unwrap_or("CUSTOMER"), about.object.namespace)
}

fn assign(about: &About<'_>) -> String {
    let id = about.subscription.map_or("SUBSCRIPTION-ID", |known| &known.spec.subscription_id);
    format!("az role assignment create --role Owner --assignee OBJECT-ID --scope /subscriptions/{id}")
}

/// Where nothing is to be done but to wait.
fn nothing(reason: &str, about: &About<'_>) -> Option<(&'static str, String)> {
    let (what, condition, minutes) = match reason {
        "ConfirmingNoPlan" => (
            "nothing: it is looked once more, a quarter of an hour later, before an Azure plan is bought; to have none bought, set azurePlan: Verify on the Customer",
            "condition=Ready",
            45,
        ),
        "PlanOrdered" | "PurchasingPlan" | "OwnerAssignmentPending" => {
            ("nothing: it goes on by itself, within half an hour", "condition=Ready", 45)
        }
        "Drifted" if about.object.kind == "Customer" => (
            "nothing: it is made as declared again by itself; to leave it to others, set costManagement: Unmanaged on the Customer",
            "condition=Ready",
            15,
        ),
        "Deleting" | "Releasing" | "Revoking" | "NamespaceTerminating" => {
            ("nothing: it goes by itself; if it does not, its condition Stalled says why", "delete", 15)
        }
        "AssigningOwner" | "Busy" | "Changing" | "LeaseEnding" | "NotRead" | "NotSentInTime" | "PendingWrite"
        | "PolicyExists" | "PolicyNotFound" | "RecordPending" | "RoleAssigned" | "ServerError" | "StaleAnswer"
        | "StaleEtag" | "Throttled" | "Unverified" => ("nothing but wait: it goes on by itself", "condition=Ready", 15),
        _ => return None,
    };
    Some((what, format!("kubectl wait {} --for={condition} --timeout={minutes}m", resource(about.object))))
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn known(reason: &str, about: &About<'_>) -> Option<(&'static str, String)> {
    let Named { namespace, .. } = about.object;
    let describe = describe(about);
    let export = || format!("kubectl csp export {}", about.tenant.unwrap_or("TENANT"));
    Some(match reason {
        "CustomerNotFound" => (
            "apply the Customer that it names, or correct spec.customerRef",
            format!("kubectl csp tree -n {namespace}"),
        ),
        "SubscriptionNotFound" | "SubscriptionOfOtherCustomer" => (
            "compare the ids with what the customer has in Partner Center: the export lists its Azure subscriptions",
            export(),
        ),
        "IsAzurePlanId" => {
            ("take the id of the Azure subscription instead of the Azure plan's: the export lists them", export())
        }
        "TenantUnknown" => (
            "compare spec.tenantId of the Customer with Partner Center, or accept the customer's reseller relationship there",
            format!("kubectl csp tree -n {namespace}"),
        ),
        "NotReseller" => (
            "ask the customer to accept the reseller relationship in Partner Center; until then nothing can be changed there",
            describe,
        ),
        "NoAzurePlan" | "NoAzureSubscription" => (
            "buy an Azure plan for the customer in Partner Center, or set azurePlan: Purchase on its Customer",
            describe,
        ),
        "SubscriptionNotActive" => ("put the subscription in order in Partner Center or Azure", describe),
        "OwnerMissing" => {
            ("assign Owner in the Azure portal, or correct spec.owners of the AzureSubscription", assign(about))
        }
        "OwnerAssignmentNotAllowed" => (
            "assign Owner in the Azure portal; or have the operator started with --allow-owner-assignment (in the chart settings.allowOwnerAssignment: true), and it assigns it",
            assign(about),
        ),
        "OwnerAssignmentRefused" => (
            "assign Owner in the Azure portal; or give the partner's sign-in Owner or User Access Administrator on the subscription",
            assign(about),
        ),
        "OwnerNotFound" | "PrincipalNotSuitable" => (
            "correct spec.owners of the AzureSubscription: name users, or groups by their object ids, of the customer's tenant",
            about.subscription.map_or_else(
                || format!("kubectl csp tree -n {namespace}"),
                |known| format!("kubectl edit azsub/{} -n {namespace}", known.name_any()),
            ),
        ),
        "CustomerSignInRefused" => (
            "have an administrator of the customer's tenant consent to the application, or set ownerRole: Skip on the AzureSubscription",
            describe,
        ),
        "CustomerAgreementMissing" => (
            "confirm in Partner Center that the customer has accepted the Microsoft Customer Agreement, or have it accept it",
            describe,
        ),
        "CustomerNotOurs" => (
            "compare spec.tenantId of the Customer with Partner Center; if the relationship has ended, delete the objects: they are let go",
            format!("kubectl csp tree -n {namespace}"),
        ),
        "PlanPurchaseNotAllowed" => (
            "buy the Azure plan in Partner Center; or have the operator started with --allow-plan-purchase (in the chart settings.allowPlanPurchase: true), and it buys it",
            describe,
        ),
        "PlanOrderedNotShown" => ("look for the order in Partner Center, on the customer's Order history", describe),
        "PartnerAgreementMissing" => (
            "have a Global administrator of the partner accept the Microsoft Partner Agreement in Partner Center",
            describe,
        ),
        "NothingShown" => (
            "nothing, if the customer has bought nothing; else give the signed-in user access to what customers buy",
            describe,
        ),
        "CustomerNotResolved" | "PrerequisitesNotMet" | "SubscriptionNotVerified" => {
            ("put right what the first link that is not ok says", describe)
        }
        "PrerequisiteLost" => (
            "put right what the message names; then change the spec (any field), for nothing else turns it on again",
            describe,
        ),
        "RivalOperator" => (
            "stop one of the two installations; grants go on a day after the other's last write, or when asked to",
            format!(
                "kubectl annotate {} --overwrite csp-operator.dev/reconcile=\"$(date +%s)\"",
                resource(about.object)
            ),
        ),
        "Flapping" => ("find out who turns it off; then set driftPolicy: Report, or change the spec", activity(about)),
        "TenantChanged" => {
            ("delete the permission, which revokes for the tenant of before, and apply it again", describe)
        }
        "TokenExpired" | "ClockSkewed" => ("set the clocks of the operator's nodes right", describe),
        "Unreachable" | "UnexpectedAnswer" => (
            "wait; if it lasts, look at what stands between the operator and Microsoft: network policies, proxies, DNS",
            describe,
        ),
        "UnknownValue" => ("update the operator, or use a value that it knows", describe),
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
        "Drifted" => {
            ("see who turned it; then change driftPolicy, the spec, or the switch in Partner Center", activity(about))
        }
        "Suspended" => (
            "set mode Enforce to have it go on",
            format!("kubectl patch {} --type=merge -p '{{\"spec\":{{\"mode\":\"Enforce\"}}}}'", resource(about.object)),
        ),
        "GrantBudgetExceeded" => ("wait, or start the operator with a higher --max-grants-per-hour", describe),
        _ => return None,
    })
}
