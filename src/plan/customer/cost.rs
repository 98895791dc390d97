//! `costManagement`: whether a customer sees its charges.
//!
//! Nobody's bill is raised by it, so the wish is followed as soon as it is known that the customer is the partner's and has an
//! Azure plan; and nothing is taken back when the Customer is deleted. Read before it is written, and written only where it
//! differs.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Action;
use super::ownership::{Contender, ownership};
use super::section::{Scope, Section, is_stale};
use crate::api::{CostManagement, CostManagementStatus};
use crate::model::{AzureEstate, AzurePlanKind, BillingAccount, ChargeProgress, ChargeView, Fact, TenantId};
use crate::plan::conditions::{ConditionType, Truth, Verdict, find, is_true};
use crate::plan::permission::{Attempt, Ownership};
use crate::plan::{Event, Need, Severity, Wait, to_second};

/// After this time without an end, a change counts as forgotten by Azure.
const CHANGE_TAKES_MAX: SignedDuration = SignedDuration::from_hours(24);

/// What is known for `costManagement`.
#[derive(Debug, Clone, PartialEq)]
pub struct CostFacts {
    /// Others that mean the tenant, with their wishes; not those that leave it as it is.
    pub others: Vec<Contender<CostManagement>>,
    /// The partner's billing accounts.
    pub accounts: Fact<BTreeSet<BillingAccount>>,
    /// What the customer sees.
    pub view: Fact<ChargeView>,
    /// A change that this process has asked for and that no status shows yet.
    pub begun: Option<BegunChange>,
    /// How the change of the status, or else that one, is getting on.
    pub progress: Fact<ChargeProgress>,
}

/// A change that Azure takes its time over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunChange {
    /// Where to ask about it.
    pub operation: String,
    /// When it was asked for.
    pub since: Timestamp,
    /// How long Azure has said to wait before that.
    pub wait: Duration,
}

impl CostFacts {
    /// Of a customer that nobody has looked at.
    pub const UNKNOWN: Self = Self {
        others: Vec::new(),
        accounts: Fact::NOT_READ,
        view: Fact::NOT_READ,
        begun: None,
        progress: Fact::NOT_READ,
    };
}

/// What `wish` asks for; `None` where nothing is to be done.
fn target(wish: CostManagement) -> Option<ChargeView> {
    match wish {
        CostManagement::Visible => Some(ChargeView::Visible),
        CostManagement::Hidden => Some(ChargeView::Hidden),
        CostManagement::Unmanaged | CostManagement::Unknown => None,
    }
}

/// Plans it. `None` while nobody asks for anything.
pub(super) fn plan(
    scope: &Scope<'_>,
    wish: CostManagement,
    facts: &CostFacts,
    before: Option<&CostManagementStatus>,
) -> Option<(Section, CostManagementStatus)> {
    let status = before.cloned().unwrap_or_default();
    let (tenant, target) = match (scope.tenant, target(wish)) {
        (_, None) if wish == CostManagement::Unmanaged => return None,
        (_, None) => {
            let verdict = Verdict::no(
                "UnknownValue",
                "spec.costManagement has a value that this version of csp-operator does not know: update it, or change the value",
            );
            return Some((Section::stalled(verdict), status));
        }
        (None, Some(_)) => return Some((Section::waiting(scope.customer.clone()), status)),
        (Some(tenant), Some(target)) => (tenant, target),
    };
    let me = scope.contender(wish);
    match ownership(&me, &facts.others) {
        Ownership::Mine => {}
        Ownership::Of(owner) => {
            let text = format!(
                "{owner} means the same tenant, wishes the same and is older: it sees to costManagement; delete one of the two, or leave it Unmanaged here"
            );
            return Some((Section::stalled(Verdict::no("Conflict", text)), status));
        }
        Ownership::Contested(others) => {
            let names: Vec<_> = others.iter().map(ToString::to_string).collect();
            let text = format!(
                "these Customers mean the same tenant and wish another costManagement, so nothing is changed: {}; have them agree, or leave it Unmanaged in all but one",
                names.join(", ")
            );
            return Some((Section::stalled(Verdict::no("Conflict", text)), status));
        }
    }
    if scope.customer.truth == Truth::False {
        return Some((Section::waiting(scope.customer.clone()), status));
    }
    let plan = Plan { scope, wish, target, tenant, facts };
    Some(plan.make(status))
}

struct Plan<'a> {
    scope: &'a Scope<'a>,
    wish: CostManagement,
    target: ChargeView,
    tenant: TenantId,
    facts: &'a CostFacts,
}

impl Plan<'_> {
    fn make(&self, mut status: CostManagementStatus) -> (Section, CostManagementStatus) {
        if let (None, Some(begun)) = (&status.change, &self.facts.begun) {
            status.change = Some(begun.operation.clone());
            status.changing_since = Some(to_second(begun.since));
        }
        let mut settled_at = None;
        if let Some(operation) = status.change.clone() {
            match self.progress(&operation, &status) {
                ControlFlow::Continue(at) => {
                    settled_at = Some(at);
                    status.change = None;
                    status.changing_since = None;
                }
                ControlFlow::Break(section) => return (section, status),
            }
        }
        let section = self.settled(settled_at, &mut status);
        (section, status)
    }

    /// Whether the change is over, and since when that is known; else what is said meanwhile.
    fn progress(&self, operation: &str, status: &CostManagementStatus) -> ControlFlow<Section, Timestamp> {
        let now = self.scope.now;
        let since = status.changing_since.as_ref().map_or(now, |since| since.0);
        if now.duration_since(since) > CHANGE_TAKES_MAX {
            return ControlFlow::Continue(now);
        }
        let verdict = Verdict::no(
            "Changing",
            format!("Azure is at work on making the charges {}; how it is getting on is asked again soon", self.word()),
        );
        let mut section = Section::waiting(verdict);
        let asks = |wait: Duration| Wait::Until(now.saturating_add(wait).unwrap_or(Timestamp::MAX));
        // What has begun in this pass is not asked about at once.
        if let Some(begun) = &self.facts.begun
            && begun.operation == operation
            && begun.since >= now
        {
            section.next = asks(begun.wait);
            return ControlFlow::Break(section);
        }
        match &self.facts.progress {
            Fact::Known { value: ChargeProgress::Over, at } => return ControlFlow::Continue(*at),
            Fact::Known { value: ChargeProgress::Running { wait }, at } if *at >= now => section.next = asks(*wait),
            Fact::Unknown { why } if self.facts.progress.failure().is_some() => {
                section.verdict = Verdict::ignorance(why, "the change");
            }
            Fact::Known { .. } | Fact::Unknown { .. } => {
                section.needs.insert(Need::ChargesChange(self.tenant, operation.to_owned()));
            }
        }
        ControlFlow::Break(section)
    }

    /// Where nothing is under way. `settled_at`: what was read before that does not count any more.
    fn settled(&self, settled_at: Option<Timestamp>, status: &mut CostManagementStatus) -> Section {
        let Scope { now, estate, resync, recheck, .. } = self.scope;
        let view = match (settled_at, &self.facts.view) {
            (Some(at), Fact::Known { at: read_at, .. }) if *read_at < at => &Fact::NOT_READ,
            (_, view) => view,
        };
        let seen = view.known().copied();
        let is_other = seen.is_some_and(|seen| seen != self.target);

        let mut needs = BTreeSet::new();
        if recheck.is_due(estate) || is_other && is_stale(estate, *now) {
            needs.insert(Need::Estate(self.tenant));
        }
        if is_other && is_stale(self.scope.profile, *now) {
            needs.insert(Need::Customer(self.tenant));
        }
        let has_plan = estate.known().map(has_azure_plan);
        if has_plan != Some(false)
            && (resync.is_due(&self.facts.accounts) || is_other && self.facts.accounts.is_unread())
        {
            needs.insert(Need::BillingAccounts);
        }
        let account = self.facts.accounts.known().and_then(|all| if all.len() == 1 { all.first() } else { None });
        let is_view_due =
            settled_at.is_some() && view.is_unread() || resync.is_due(view) || is_other && is_stale(view, *now);
        if let Some(account) = account.filter(|_| has_plan == Some(true) && is_view_due) {
            needs.insert(Need::Charges(self.tenant, account.clone()));
        }
        let mut section = self.judge(view, is_other, status);
        section.needs = needs;
        if !section.needs.is_empty() {
            section.actions = Vec::new();
        }
        section
    }

    fn judge(&self, view: &Fact<ChargeView>, is_other: bool, status: &mut CostManagementStatus) -> Section {
        let Scope { before, estate, resync, recheck, attempt, customer, .. } = self.scope;
        let is_remembered = recheck.is_remembered(estate)
            || resync.is_remembered(&self.facts.accounts)
            || resync.is_remembered(view)
            || !customer.holds();
        if !is_other && is_remembered && is_true(before, ConditionType::CostManagementSynced) {
            return Section::kept();
        }
        let ignorance = |why, what| Section::waiting(Verdict::ignorance(why, what));
        match estate {
            Fact::Unknown { why } => return ignorance(why, "what the customer has of Azure"),
            Fact::Known { value, .. } if !has_azure_plan(value) => {
                let text = "the customer has no active Azure plan, and only for customers with one can charges be shown or hidden";
                return Section::waiting(Verdict::no("NoAzurePlan", text));
            }
            Fact::Known { .. } => {}
        }
        let account = match &self.facts.accounts {
            Fact::Unknown { why } => return ignorance(why, "the partner's billing account"),
            Fact::Known { value, .. } => match (value.first(), value.len()) {
                (Some(account), 1) => account,
                (None, _) => {
                    let text = "the signed-in user sees no billing account of the Microsoft Partner Agreement in Azure: make it an Admin agent, or a billing admin, of the partner's account that the customers belong to";
                    return Section::stalled(Verdict::no("BillingAccountMissing", text));
                }
                (Some(_), _) => {
                    let names: Vec<_> = value.iter().map(ToString::to_string).collect();
                    let text = format!(
                        "the signed-in user sees several billing accounts of the Microsoft Partner Agreement, and nothing tells which one is meant: {}; leave it access to one of them",
                        names.join(", ")
                    );
                    return Section::stalled(Verdict::no("BillingAccountAmbiguous", text));
                }
            },
        };
        let seen = match view {
            Fact::Unknown { why } => return ignorance(why, "whether the customer sees its charges"),
            Fact::Known { value, .. } => *value,
        };
        if seen == self.target {
            status.applied = Some(self.wish);
            return Section::holds(self.synced());
        }
        let (verdict, events) = self.differs(status, seen);
        if let Attempt::Failed(failure) = attempt {
            let verdict = Verdict::no(failure.reason, failure.message.clone());
            let section = if failure.needs_person { Section::stalled(verdict) } else { Section::waiting(verdict) };
            return Section { events, ..section };
        }
        if !customer.holds() {
            return Section { events, ..Section::waiting((*customer).clone()) };
        }
        let mut section = Section::waiting(verdict);
        section.events = events;
        if !self.scope.is_deleting && **attempt == Attempt::None {
            let (tenant, account) = (self.tenant, account.clone());
            section.actions.push(Action::ShowCharges { tenant, account, view: self.target, told: self.changed() });
        }
        section
    }

    fn word(&self) -> &'static str {
        if self.target == ChargeView::Visible { "visible" } else { "hidden" }
    }

    fn synced(&self) -> Verdict {
        if self.target == ChargeView::Visible {
            let text = "the customer sees its charges in Cost Management, at pay-as-you-go retail rates in its billing currency, for its subscriptions and resource groups; reservations and savings plans do not show in that cost data";
            return Verdict::yes("Visible", text);
        }
        Verdict::yes("Hidden", "the customer does not see its charges in Cost Management")
    }

    /// What is told of a change. A process that repeats one, because the last one did not live to report it, tells it under
    /// the same name.
    fn changed(&self) -> Event {
        let Scope { before, generation, .. } = self.scope;
        let since = find(before, ConditionType::CostManagementSynced);
        let since = since.map(|synced| synced.last_transition_time.0.to_string()).unwrap_or_default();
        let word = self.word();
        Event {
            severity: Severity::Normal,
            reason: "CostManagementChanged".to_owned(),
            note: format!("Azure has accepted to make the customer's charges {word}, as spec.costManagement says"),
            key: format!("cost/{word}/{generation}/{since}"),
        }
    }

    /// What is said of charges that are not as wished, and told if somebody else has made them so.
    fn differs(&self, status: &mut CostManagementStatus, view: ChargeView) -> (Verdict, Vec<Event>) {
        let (seen, is_now) = match view {
            ChargeView::Visible => ("visible", Some(CostManagement::Visible)),
            ChargeView::Hidden => ("hidden", Some(CostManagement::Hidden)),
            ChargeView::Other => ("neither shown nor hidden, in a way that csp-operator does not know", None),
        };
        let wanted = self.word();
        let synced = find(self.scope.before, ConditionType::CostManagementSynced);
        let synced = synced.filter(|synced| synced.observed_generation == Some(self.scope.generation));
        let has_drifted = status.applied == Some(self.wish) && synced.is_some();
        let is_told = synced.is_some_and(|synced| synced.reason == "Drifted");
        if !has_drifted && !is_told {
            let text = format!("the customer's charges are {seen} and are being made {wanted}");
            return (Verdict::no("PendingWrite", text), Vec::new());
        }
        let text = format!(
            "somebody else has made the customer's charges {seen}; they are made {wanted} again. Who it was is not known: Partner Center's activity log does not tell of it"
        );
        let drifted = Verdict::no("Drifted", text.clone());
        if !has_drifted {
            return (drifted, Vec::new());
        }
        // Not by the condition: a change that fails hides the drift behind its own reason.
        status.applied = is_now;
        let event = Event {
            severity: Severity::Warning,
            reason: "CostManagementDrifted".to_owned(),
            note: text,
            key: format!("cost/{}", synced.map(|synced| synced.last_transition_time.0.to_string()).unwrap_or_default()),
        };
        (drifted, vec![event])
    }
}

/// Whether there is an active Azure plan. Azure Global is billed elsewhere.
fn has_azure_plan(estate: &AzureEstate) -> bool {
    estate.plans.iter().any(|plan| plan.kind == AzurePlanKind::AzurePlan && plan.is_active())
}
