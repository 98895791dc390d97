//! Partner Center.

mod plan_purchase;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use crate::model::{
    ActivityRecord, AzureEstate, AzurePlanKind, AzureUse, CustomerProfile, PartnerKind, PermissionSet, Policy, TenantId,
};

use super::call::{Body, Call};
use super::endpoints::below;
use super::page::{Trail, follow};
use super::send::Sender;
use super::token::Realm;
use super::wire::{
    self, CustomerWire, Defect, EntitlementWire, Item, PROVIDER_OF, Page, PolicyWire, RESELLER_OF, RecordWire,
    RelationshipWire, SubscriptionWire, Terms,
};
use super::{Cause, Error, Operation};

/// Most items of a page, which Partner Center also uses when none is asked for.
const PAGE_SIZE: &str = "500";

/// Partner Center's API, in the name of the partner.
#[derive(Debug, Clone)]
pub struct PartnerCenter {
    sender: Arc<Sender>,
    base: Url,
    app_only_reads: bool,
}

impl PartnerCenter {
    pub(super) fn new(sender: Arc<Sender>, base: Url) -> Self {
        Self { sender, base, app_only_reads: false }
    }

    pub(super) fn set_app_only_reads(&mut self, app_only_reads: bool) {
        self.app_only_reads = app_only_reads;
    }

    /// Whether customers, their subscriptions and the activity log are read in the application's own name.
    pub fn reads_as_application(&self) -> bool {
        self.app_only_reads
    }

    /// In whose name something is asked for.
    fn realm(&self, operation: Operation) -> Realm {
        if self.app_only_reads && operation.is_for_applications() {
            Realm::PartnerCenterAsApplication
        } else {
            Realm::PartnerCenter
        }
    }

    pub(super) fn with(&self, sender: Arc<Sender>) -> Self {
        Self { sender, base: self.base.clone(), app_only_reads: self.app_only_reads }
    }

    /// Waits until a write to a policy of `customer` may be sent, and keeps the turn for a second, so that the wait is over
    /// when the write is noted as sent.
    pub async fn await_turn(&self, customer: TenantId) -> Result<(), Error> {
        self.sender.reserve(Operation::UpdatePolicy(customer), customer).await
    }

    /// Waits until a write to a policy of `customer` may be sent, and then has `look` make sure that it should be. `look`
    /// gives the moment for which it is sure. What is returned sends nothing later than `lasts` after that moment, not
    /// when a send is repeated either.
    ///
    /// [`Error::is_late`] when that cannot be kept, here or when the write is made.
    pub async fn once_sure<E: From<Error>, Look: Future<Output = Result<Instant, E>>>(
        &self,
        customer: TenantId,
        lasts: Duration,
        look: impl Fn() -> Look,
    ) -> Result<Self, E> {
        let sender = self.sender.once_sure(Operation::UpdatePolicy(customer), customer, lasts, look).await?;
        Ok(self.with(Arc::new(sender)))
    }

    /// All customers of the partner, but for those whose entry cannot be right: ask for such a one by itself. If one
    /// changes place while the pages are read, the later page wins.
    pub async fn customers(&self) -> Result<BTreeMap<TenantId, CustomerProfile>, Error> {
        let operation = Operation::ListCustomers;
        let mut url = self.url(&["customers"]);
        url.query_pairs_mut().append_pair("size", PAGE_SIZE);
        let items: Vec<Item<CustomerWire>> = self.list(operation, url).await?;
        let mut customers = BTreeMap::new();
        for item in items {
            match item.read().and_then(CustomerWire::translate) {
                Ok((tenant, profile)) => drop(customers.insert(tenant, profile)),
                // One bad entry must not hide all the other customers.
                Err(defect) => tracing::warn!(%defect, "skipped a customer in the list whose entry cannot be right"),
            }
        }
        Ok(customers)
    }

    /// One customer. [`Error::customer_not_ours`] when the partner has no such customer.
    pub async fn customer(&self, customer: TenantId) -> Result<CustomerProfile, Error> {
        let operation = Operation::ReadCustomer(customer);
        let url = self.url(&["customers", &customer.to_string()]);
        let answer = self.read::<CustomerWire>(Call::get(operation, url), Uuid::new_v4()).await?;
        let (tenant, profile) = answer.translate().map_err(unexpected(operation))?;
        if tenant != customer {
            return Err(unexpected(operation)("another customer".to_owned()));
        }
        Ok(profile)
    }

    /// What the customer has of Azure: plans, whatever their status, and the Azure subscriptions below each.
    pub async fn azure_estate(&self, customer: TenantId) -> Result<AzureEstate, Error> {
        let operation = Operation::ReadSubscriptions(customer);
        let url = self.url(&["customers", &customer.to_string(), "subscriptions"]);
        let items: Vec<SubscriptionWire> = self.list(operation, url).await?;
        let mut plans = Vec::new();
        for item in items {
            let Some(mut plan) = item.translate().map_err(unexpected(operation))? else { continue };
            if plan.kind == AzurePlanKind::AzurePlan {
                plan.uses = match self.azure_entitlements(customer, &plan.id).await {
                    Ok(uses) => uses,
                    // A plan that is not active may have lost its entitlements altogether.
                    Err(error) if !plan.is_active() && is_plain_not_found(&error) => Vec::new(),
                    Err(error) => return Err(error),
                };
            }
            plans.push(plan);
        }
        Ok(AzureEstate { plans })
    }

    async fn azure_entitlements(&self, customer: TenantId, plan: &str) -> Result<Vec<AzureUse>, Error> {
        let operation = Operation::ReadAzureEntitlements(customer);
        let url = self.url(&["customers", &customer.to_string(), "subscriptions", plan, "azureEntitlements"]);
        let items: Vec<EntitlementWire> = self.list(operation, url).await?;
        items.into_iter().map(EntitlementWire::translate).collect::<Result<_, _>>().map_err(unexpected(operation))
    }

    /// The customer's policy, or `None` if it has none. More than one, or one of somebody else, is an error.
    pub async fn policy(&self, customer: TenantId) -> Result<Option<Policy>, Error> {
        let operation = Operation::ReadPolicy(customer);
        let terms = self.terms(operation, customer).await?;
        let mut url = self.url(&["SelfServePolicy"]);
        url.query_pairs_mut().append_pair("entity_id", &customer.to_string());
        let mut items: Vec<PolicyWire> = self.list(operation, url).await?;
        if items.len() > 1 {
            // There can be only one per customer; which of two would hold is nothing to guess at.
            return Err(unexpected(operation)("more than one policy".to_owned()));
        }
        items.pop().map(|item| item.translate(terms)).transpose().map_err(unexpected(operation))
    }

    /// Creates the customer's policy. [`Error::policy_exists`] when it has one.
    ///
    /// `correlation` comes back in the activity record.
    pub async fn create_policy(
        &self,
        customer: TenantId,
        permissions: &PermissionSet,
        correlation: Uuid,
    ) -> Result<Policy, Error> {
        let operation = Operation::CreatePolicy(customer);
        let terms = self.terms(operation, customer).await?;
        let body = body(operation, permissions, &PolicyWire::to_create(terms, permissions))?;
        let call = Call::post(operation, self.url(&["SelfServePolicy"]), body);
        self.write(call, terms, permissions, correlation).await
    }

    /// Replaces the permissions of the policy `read`. [`Error::is_stale`] when it has changed since, and
    /// [`Error::policy_missing`] when it is gone. The set must not be empty: that is a deletion.
    pub async fn update_policy(
        &self,
        customer: TenantId,
        read: &Policy,
        permissions: &PermissionSet,
        correlation: Uuid,
    ) -> Result<Policy, Error> {
        let operation = Operation::UpdatePolicy(customer);
        let terms = self.terms(operation, customer).await?;
        let body = body(operation, permissions, &PolicyWire::to_replace(terms, read, permissions))?;
        let call = Call::put(operation, self.policy_url(operation, &read.id)?, body);
        let written = self.write(call, terms, permissions, correlation).await?;
        if written.id != read.id {
            return Err(unexpected(operation)("another policy id than the one replaced".to_owned()));
        }
        Ok(written)
    }

    /// Deletes the policy `id`; says whether there was one. One that does not exist is deleted.
    pub async fn delete_policy(&self, customer: TenantId, id: &str, correlation: Uuid) -> Result<bool, Error> {
        let operation = Operation::DeletePolicy(customer);
        let call = Call::delete(operation, self.policy_url(operation, id)?);
        match self.sender.send(Realm::PartnerCenter, call, correlation).await {
            Ok(_) => Ok(true),
            Err(error) if error.policy_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The activity records about policies from the first to the last of these days (UTC), each once, oldest first.
    ///
    /// Partner Center keeps 90 days and refuses an earlier `from`.
    pub async fn activity(&self, from: Date, to: Date) -> Result<Vec<ActivityRecord>, Error> {
        let records = self.records((from, to), wire::activity_filter(), RecordWire::translate).await?;
        // By time and id: the days where windows meet come twice.
        let in_time = |record: ActivityRecord| ((record.at, record.id.clone()), record);
        let records: BTreeMap<_, _> = records.into_iter().map(in_time).collect();
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        Ok(records.into_values().filter(|record| (from..=to).contains(&day(record.at))).collect())
    }

    /// The records of the activity log in these days that pass `filter` and that `translate` can make something of; some
    /// may come twice, and some of days just outside.
    pub(super) async fn records<T>(
        &self,
        (from, to): (Date, Date),
        filter: &str,
        translate: impl Fn(RecordWire) -> Result<Option<T>, Defect>,
    ) -> Result<Vec<T>, Error> {
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let mut records = Vec::new();
        for window in windows(from, to, today) {
            let mut url = self.url(&["auditrecords"]);
            url.query_pairs_mut()
                .append_pair("startDate", &window.start.to_string())
                .extend_pairs(window.end.map(|end| ("endDate", end.to_string())))
                .append_pair("size", PAGE_SIZE)
                .append_pair("filter", filter);
            let items: Vec<Item<RecordWire>> = self.list(Operation::ReadActivity, url).await?;
            for item in items {
                match item.read().and_then(&translate) {
                    Ok(record) => records.extend(record),
                    // One bad record must not hide all the others, for as long as it is kept.
                    Err(defect) => tracing::warn!(%defect, "skipped an activity record that cannot be right"),
                }
            }
        }
        Ok(records)
    }

    /// What kind of partner it is, judged by its relationships to other partners: nothing that Partner Center offers says
    /// it outright.
    ///
    /// One request for an indirect provider, two for all others.
    pub async fn partner_kind(&self) -> Result<PartnerKind, Error> {
        if self.has_relationship(PROVIDER_OF).await? {
            return Ok(PartnerKind::IndirectProvider);
        }
        Ok(if self.has_relationship(RESELLER_OF).await? {
            PartnerKind::IndirectReseller
        } else {
            PartnerKind::DirectBill
        })
    }

    async fn has_relationship(&self, relationship_type: &str) -> Result<bool, Error> {
        let mut url = self.url(&["relationships"]);
        url.query_pairs_mut().append_pair("relationship_type", relationship_type);
        let items: Vec<RelationshipWire> = self.list(Operation::ReadRelationships, url).await?;
        Ok(items.iter().any(RelationshipWire::is_active))
    }

    async fn terms(&self, operation: Operation, customer: TenantId) -> Result<Terms, Error> {
        Ok(Terms { customer, partner: self.sender.partner_tenant(operation).await? })
    }

    /// Sends a create or a replacement, and takes its answer only if it says what was asked.
    async fn write(
        &self,
        call: Call,
        terms: Terms,
        permissions: &PermissionSet,
        correlation: Uuid,
    ) -> Result<Policy, Error> {
        let operation = call.operation;
        let answer = self.read::<PolicyWire>(call, correlation).await?;
        let written = answer.translate(terms).map_err(unexpected(operation))?;
        if !same_permissions(&written.permissions, permissions) {
            return Err(unexpected(operation)("other permissions than were asked for".to_owned()));
        }
        Ok(written)
    }

    async fn read<T: DeserializeOwned>(&self, call: Call, correlation: Uuid) -> Result<T, Error> {
        let operation = call.operation;
        let answer = self.sender.send(self.realm(operation), call, correlation).await?;
        wire::read(&answer.body).map_err(unexpected(operation))
    }

    /// All pages of a list.
    pub(super) async fn list<T: DeserializeOwned>(&self, operation: Operation, first: Url) -> Result<Vec<T>, Error> {
        let correlation = Uuid::new_v4();
        let mut trail = Trail::new(self.sender.limits().pages_max);
        let mut all = Vec::new();
        let mut call = Call::get(operation, first);
        loop {
            let page: Page<T> = self.read(call, correlation).await?;
            let (items, next) = page.open().map_err(unexpected(operation))?;
            all.extend(items);
            let Some(link) = next else { return Ok(all) };
            let next = follow(&self.base, &link).map_err(unexpected(operation))?;
            trail.step(&next).map_err(unexpected(operation))?;
            call = Call::get(operation, next.url);
            call.headers = next.headers;
        }
    }

    pub(super) fn url(&self, segments: &[&str]) -> Url {
        below(&below(&self.base, &["v1"]), segments)
    }

    fn policy_url(&self, operation: Operation, id: &str) -> Result<Url, Error> {
        if !wire::is_policy_id(id) {
            return Err(Error::new(operation, Cause::InvalidRequest("a policy id is needed".to_owned())));
        }
        Ok(self.url(&["SelfServePolicy", id]))
    }
}

/// A time to ask for at once.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    start: Date,
    /// Day after the last one; absent for "until now".
    end: Option<Date>,
}

/// Partner Center accepts 30 days in one request; with both ends counted, the last is 29 after the first.
const WINDOW_DAYS: i32 = 29;

/// Windows that together hold all records of the days `from..=to`.
///
/// It is not documented whether the end date is part of a window. So each ends a day later than needed, where the next
/// one begins; and the end is left out where it would lie in the future.
fn windows(from: Date, to: Date, today: Date) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut start = from;
    while start <= to {
        let next = start.saturating_add(WINDOW_DAYS.days());
        if next <= to && next <= today {
            windows.push(Window { start, end: Some(next) });
            start = next;
        } else {
            let after = to.saturating_add(1.day());
            windows.push(Window { start, end: (after <= today).then_some(after) });
            break;
        }
    }
    windows
}

/// Partner Center may return entries in an order of its own.
fn same_permissions(one: &PermissionSet, other: &PermissionSet) -> bool {
    let sorted = |set: &PermissionSet| {
        let mut others: Vec<_> = set
            .others()
            .iter()
            .map(|entry| (entry.resource.to_ascii_lowercase(), entry.action.to_ascii_lowercase()))
            .collect();
        others.sort();
        others
    };
    one.allowed().eq(other.allowed()) && sorted(one) == sorted(other)
}

fn is_plain_not_found(error: &Error) -> bool {
    !error.customer_not_ours() && matches!(error.cause(), Cause::Refused(refusal) if refusal.status() == 404)
}

fn body(operation: Operation, permissions: &PermissionSet, policy: &PolicyWire) -> Result<Body, Error> {
    let invalid = |what: &str| Error::new(operation, Cause::InvalidRequest(what.to_owned()));
    if permissions.is_empty() {
        // What Partner Center makes of it is not documented.
        return Err(invalid("a policy without permissions is deleted, not written"));
    }
    serde_json::to_vec(policy).map(Body::Json).map_err(|_| invalid("the policy cannot be written as JSON"))
}

/// Of an answer that was a success by its status.
fn unexpected(operation: Operation) -> impl Fn(Defect) -> Error {
    move |defect| Error::new(operation, Cause::UnexpectedAnswer(defect)).having_arrived(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, today: &str, expected: &[(&str, Option<&str>)]) {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let expected: Vec<_> =
            expected.iter().map(|(start, end)| Window { start: date(start), end: end.map(date) }).collect();
        assert_eq!(windows(date(from), date(to), date(today)), expected, "{from} {to} {today}");
    }

    #[test]
    fn windows_cover_every_day_whether_or_not_the_end_date_belongs_to_them() {
        check("2026-03-01", "2026-03-01", "2026-03-01", &[("2026-03-01", None)]);
        check("2026-03-01", "2026-03-05", "2026-03-03", &[("2026-03-01", None)]);
        check("2026-03-01", "2026-03-01", "2026-03-09", &[("2026-03-01", Some("2026-03-02"))]);
        check(
            "2026-01-01",
            "2026-03-31",
            "2026-03-31",
            &[
                ("2026-01-01", Some("2026-01-30")),
                ("2026-01-30", Some("2026-02-28")),
                ("2026-02-28", Some("2026-03-29")),
                ("2026-03-29", None),
            ],
        );
        check("2026-03-02", "2026-03-01", "2026-03-01", &[]);
        check("2026-03-05", "2026-09-01", "2026-03-01", &[("2026-03-05", None)]);
    }

    #[test]
    fn no_window_is_longer_than_thirty_days() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let today = date("2026-03-31");
        for window in windows(date("2025-01-01"), date("2027-01-01"), today) {
            let days = (window.end.unwrap_or(today) - window.start).get_days();
            assert!((1..30).contains(&days), "{window:?}");
        }
    }
}
