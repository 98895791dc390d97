//! What Partner Center has of the customers: few calls, patiently made.

use super::manifest::Found;
use crate::model::{CustomerProfile, PermissionSet, Relationship, TenantId};
use crate::remote::{Error, PartnerCenter};

/// A customer that is to be read.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) tenant: TenantId,
    pub(super) profile: CustomerProfile,
    pub(super) name: String,
}

impl Wanted {
    /// Only where the partner resells does it hold purchase permissions.
    pub(super) fn is_resold(&self) -> bool {
        self.profile.relationship == Relationship::Reseller
    }

    /// Whether a person means it by this tenant id or domain.
    pub(super) fn is(&self, text: &str) -> bool {
        let is_domain = |domain: &String| domain.eq_ignore_ascii_case(text);
        text.parse() == Ok(self.tenant) || self.profile.domain.as_ref().is_some_and(is_domain)
    }
}

/// Reads one customer; `None` where it has no policy and only those with one are wanted.
///
/// One call for the policy, one for the subscriptions, and one more for each Azure plan.
pub(super) async fn customer(
    partner_center: &PartnerCenter,
    wanted: &Wanted,
    only_with_policy: bool,
) -> Result<Option<Found>, Error> {
    let tenant = wanted.tenant;
    let policy = patiently(|| partner_center.policy(tenant)).await?;
    if policy.is_none() && only_with_policy {
        return Ok(None);
    }
    let estate = patiently(|| partner_center.azure_estate(tenant)).await?;
    let active = estate.plans.iter().filter(|plan| plan.is_active()).flat_map(|plan| &plan.uses);
    let mut subscriptions: Vec<_> = active.filter(|one| one.is_active()).map(|one| one.id).collect();
    subscriptions.sort();
    subscriptions.dedup();
    let permissions = policy.map_or_else(PermissionSet::default, |policy| policy.permissions);
    Ok(Some(Found { tenant, profile: wanted.profile.clone(), permissions, subscriptions }))
}

/// Asks again for as long as the failure is one that passes.
pub(super) async fn patiently<T>(ask: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    crate::remote::patiently(ask, Error::advice).await
}
