//! Which conditions each kind has, and every reason that each may give: for the generated reference, and for tests of the
//! planner, in which a condition that says anything else is a defect.

use super::conditions::ConditionType;
use ConditionType::{
    ActivityRecorded, AzurePlanVerified, AzureSubscriptionVerified, CostManagementSynced, CustomerResolved,
    OwnerRoleVerified, PartnerAuthorized, PurchasesRecorded, Ready, Reconciling, Stalled, Synced,
};

/// What a condition of one kind says.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Which one.
    pub type_: ConditionType,
    /// What `True` means.
    pub meaning: &'static str,
    /// Reasons when it holds.
    pub holds: &'static [&'static str],
    /// Reasons of its own when it does not, or when that is not known.
    pub lacks: &'static [&'static str],
    /// Where else its reasons come from.
    pub others: Others,
}

/// Reasons that are not a condition's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// There are none.
    No,
    /// Of [`FAILURES`].
    Failures,
    /// Of all other conditions of the kind: it summarises them.
    Conditions,
}

/// Reasons where something could not be read or written: what the operator needs to know, or what it had to do.
pub const FAILURES: [&str; 38] = [
    "AppOnlyToken",
    "Busy",
    "ConditionalAccess",
    "CredentialsInvalid",
    "CredentialsUnavailable",
    "CustomerAgreementMissing",
    "CustomerNotOurs",
    "CustomerSignInRefused",
    "Forbidden",
    "GraphNotConsented",
    "InvalidProperty",
    "InvalidRequest",
    "LeaseEnding",
    "MfaRequired",
    "NamespaceTerminating",
    "NamespaceUnreadable",
    "NotAdminAgent",
    "NotFound",
    "NotRead",
    "NotSentInTime",
    "OtherPartner",
    "OwnerAssignmentRefused",
    "PartnerAgreementMissing",
    "PolicyExists",
    "PolicyNotFound",
    "PrincipalNotFound",
    "PrincipalNotSuitable",
    "ProgramNotActive",
    "ResellerAgreementMissing",
    "RoleAssigned",
    "ServerError",
    "StaleAnswer",
    "StaleEtag",
    "Throttled",
    "TokenExpired",
    "Unauthorized",
    "UnexpectedAnswer",
    "Unreachable",
];

const fn entry(
    type_: ConditionType,
    meaning: &'static str,
    holds: &'static [&'static str],
    lacks: &'static [&'static str],
    others: Others,
) -> Entry {
    Entry { type_, meaning, holds, lacks, others }
}

const fn ready(holds: &'static [&'static str], lacks: &'static [&'static str]) -> Entry {
    entry(Ready, "everything is as declared", holds, lacks, Others::Conditions)
}

const RECONCILING: Entry = entry(
    Reconciling,
    "work is under way, or waits for something that may come by itself",
    &[],
    &["Idle"],
    Others::Conditions,
);

const STALLED: Entry = entry(Stalled, "a person must act", &[], &["NotStalled"], Others::Conditions);

const RESOLVED: Entry = entry(
    CustomerResolved,
    "the customer is known, and you resell to it",
    &["Resolved"],
    &["CustomerNotFound", "NamespaceNotAllowed", "NotReseller", "TenantUnknown"],
    Others::Failures,
);

const CUSTOMER: [Entry; 7] = [
    ready(&["Resolved"], &[]),
    RECONCILING,
    STALLED,
    Entry { lacks: &["NamespaceNotAllowed", "NotReseller", "TenantUnknown"], ..RESOLVED },
    entry(
        AzurePlanVerified,
        "the customer has an active Azure plan, or Azure Global subscription",
        &["AzureGlobal", "AzurePlan"],
        &[
            "ClockSkewed",
            "ConfirmingNoPlan",
            "Conflict",
            "CustomerAgreementMissing",
            "IndirectReseller",
            "IndirectResellerMissing",
            "LegacySubscription",
            "NamespaceNotAllowed",
            "NoAzureSubscription",
            "NotIndirectProvider",
            "NotReseller",
            "PlanOrdered",
            "PlanOrderedNotShown",
            "PlanPurchaseNotAllowed",
            "PurchaseRecordUnreadable",
            "PurchaseRecordUnwritable",
            "PurchaseRefused",
            "PurchaseUnclear",
            "PurchasingPlan",
            "SubscriptionNotActive",
            "TenantUnknown",
            "UnknownValue",
        ],
        Others::Failures,
    ),
    entry(
        CostManagementSynced,
        "the customer sees its charges, or does not, as `costManagement` says",
        &["Hidden", "Visible"],
        &[
            "BillingAccountAmbiguous",
            "BillingAccountMissing",
            "Changing",
            "ClockSkewed",
            "Conflict",
            "Drifted",
            "NamespaceNotAllowed",
            "NoAzurePlan",
            "NotReseller",
            "PendingWrite",
            "TenantUnknown",
            "UnknownValue",
        ],
        Others::Failures,
    ),
    entry(
        PurchasesRecorded,
        "what the customer has bought is known",
        &["Recorded"],
        &["AccessMissing", "NothingShown", "Suspended"],
        Others::Failures,
    ),
];

const AZURE_SUBSCRIPTION: [Entry; 6] = [
    ready(&["Active"], &["InvalidSpec"]),
    RECONCILING,
    STALLED,
    RESOLVED,
    entry(
        AzureSubscriptionVerified,
        "the subscription is active and the customer's",
        &["Active"],
        &["IsAzurePlanId", "NoAzureSubscription", "SubscriptionNotActive", "SubscriptionNotFound"],
        Others::Failures,
    ),
    entry(
        OwnerRoleVerified,
        "the key users hold Owner, or nobody looks",
        &["OwnerHeld", "Skipped"],
        &[
            "AssigningOwner",
            "OwnerAssignmentNotAllowed",
            "OwnerAssignmentPending",
            "OwnerMissing",
            "OwnerNotFound",
            "OwnerUnknown",
            "SubscriptionNotVerified",
            "UnknownValue",
        ],
        Others::Failures,
    ),
];

const PERMISSION: [Entry; 9] = [
    ready(
        &["Expired", "InSync", "Observed", "Suspended"],
        &[
            "ClaimUnproven",
            "Deleting",
            "Flapping",
            "PrerequisiteLost",
            "Releasing",
            "RevokePending",
            "Revoking",
            "RivalOperator",
            "Suspended",
            "TenantChanged",
            "TenantForgotten",
            "UnknownValue",
        ],
    ),
    RECONCILING,
    STALLED,
    RESOLVED,
    entry(
        PartnerAuthorized,
        "your sign-in may change purchase permissions",
        &["AdminAgent", "WriteAccepted"],
        &[
            "AppOnlyToken",
            "ClockSkewed",
            "ConditionalAccess",
            "CredentialsInvalid",
            "IndirectReseller",
            "MfaRequired",
            "NotAdminAgent",
            "OtherPartner",
            "PartnerAgreementMissing",
            "ProgramNotActive",
            "Unverified",
        ],
        Others::No,
    ),
    entry(
        AzureSubscriptionVerified,
        "every subscription that is listed is active and the customer's",
        &["Active"],
        &[
            "CustomerNotResolved",
            "IsAzurePlanId",
            "NoAzureSubscription",
            "NotNeeded",
            "SubscriptionNotActive",
            "SubscriptionNotFound",
            "SubscriptionOfOtherCustomer",
        ],
        Others::Failures,
    ),
    entry(
        OwnerRoleVerified,
        "the key users hold Owner of each, or nobody looks",
        &["OwnerHeld"],
        &[
            "CustomerNotResolved",
            "NotNeeded",
            "OwnerMissing",
            "OwnerNotFound",
            "OwnerUnknown",
            "SubscriptionNotVerified",
            "UnknownValue",
        ],
        Others::Failures,
    ),
    entry(
        Synced,
        "Partner Center holds what is declared",
        &["InSync"],
        &[
            "Conflict",
            "CustomerNotResolved",
            "Drifted",
            "GrantBudgetExceeded",
            "PendingWrite",
            "PrerequisitesNotMet",
            "Suspended",
            "WriteRefused",
        ],
        Others::Failures,
    ),
    entry(
        ActivityRecorded,
        "Partner Center's activity log has a record; the reason is the newest one's name there",
        &[
            "CreateCustomerPurchasePermissions",
            "DeleteCustomerPurchasePermissions",
            "OtherCustomerPurchasePermissionsActivity",
            "UpdateCustomerPurchasePermissions",
        ],
        &["NoRecord", "RecordPending"],
        Others::No,
    ),
];

/// The conditions of a kind, in the order in which `kubectl describe` shows them; none of a kind that is not ours.
pub fn of(kind: &str) -> &'static [Entry] {
    match kind {
        "Customer" => &CUSTOMER,
        "AzureSubscription" => &AZURE_SUBSCRIPTION,
        "CustomerPurchasePermission" => &PERMISSION,
        _ => &[],
    }
}

/// Whether a condition of that kind and type may have that status and reason.
#[cfg(test)]
pub(super) fn may_say(kind: &str, type_: &str, status: &str, reason: &str) -> bool {
    let says = |entry: &Entry| {
        let own = if status == "True" { entry.holds } else { entry.lacks };
        own.contains(&reason) || entry.others == Others::Failures && status != "True" && FAILURES.contains(&reason)
    };
    let is_elsewhere = || {
        let parts = of(kind).iter().filter(|entry| entry.others != Others::Conditions);
        parts.into_iter().any(|entry| entry.lacks.contains(&reason) || FAILURES.contains(&reason))
    };
    let is_own_summary =
        || of(kind).iter().any(|entry| entry.type_ == Ready && [entry.holds, entry.lacks].concat().contains(&reason));
    of(kind).iter().any(|entry| {
        entry.type_.as_str() == type_
            && (says(entry) || entry.others == Others::Conditions && (is_elsewhere() || is_own_summary()))
    })
}
