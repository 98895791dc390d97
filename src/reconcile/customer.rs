//! `Customer` in the shell.

use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::context::Context;
use super::decision::Decision;
use super::driver::{Kind, Pass, Progress};
use super::error::Error;
use super::grant::GRANT_SENT_WITHIN;
use super::objects::Objects;
use super::purchases;
use super::references::{named_tenant, reference};
use super::sight::Sight as _;
use super::slots::Slots;
use super::wishes;
use crate::api::{self, AzurePlanPolicy, CostManagement, CustomerStatus};
use crate::model::{BillingAccount, ChargeView, CheckOut, Fact, PlanPurchase, PurchaseStage, TenantId, Urgency};
use crate::plan::customer::azure_plan::PlanFacts;
use crate::plan::customer::cost::CostFacts;
use crate::plan::customer::ownership::Contender;
use crate::plan::customer::{Action, CustomerPlan, CustomerWish, Facts, plan};
use crate::plan::partner::PartnerFacts;
use crate::plan::permission::Attempt;
use crate::plan::urgency::urgency;
use crate::plan::{CustomerRef, Identity, Need};

/// Characters of a refusal that are remembered.
const REFUSAL_MAX: usize = 400;

/// The kind.
#[derive(Debug)]
pub(super) struct Customer;

impl Kind for Customer {
    type Object = api::Customer;
    type Status = CustomerStatus;
    type Action = Action;

    fn objects(context: &Context) -> &Objects<Self::Object> {
        &context.customers
    }

    fn status(object: &Self::Object) -> Option<&CustomerStatus> {
        object.status.as_ref()
    }

    fn conditions(status: &CustomerStatus) -> &[Condition] {
        &status.conditions
    }

    fn handled_request(status: &CustomerStatus) -> Option<&str> {
        status.last_handled_reconcile_at.as_deref()
    }

    fn slots(context: &Context) -> &Slots {
        &context.customer_slots
    }

    fn urgency(object: &Self::Object) -> Urgency {
        let status = object.status.clone().unwrap_or_default();
        let request = status.last_handled_reconcile_at.as_deref();
        Identity::of(&object.metadata).map_or(Urgency::Drift, |identity| {
            urgency(&identity, status.observed_generation, request, &status.conditions)
        })
    }

    fn tenant(_: &Context, _: &Self::Object) -> Option<TenantId> {
        None
    }

    fn plan(pass: &Pass<'_, Self>, before: &CustomerStatus) -> Result<CustomerPlan, Error> {
        let identity = Identity::of(&pass.object.metadata).ok_or(Error::Anonymous)?;
        let reference = reference(pass.context, Some(&pass.object));
        let wish = wishes::of_customer(&pass.object);
        let inventory = &pass.context.inventory;
        let (profile, estate, cost, azure_plan) = match &reference {
            CustomerRef::Found(tenant) => (
                pass.fact(&Need::Customer(*tenant), || inventory.profile(*tenant)),
                pass.fact(&Need::Estate(*tenant), || inventory.estate(*tenant)),
                cost(pass, &identity, *tenant, before),
                azure_plan(pass, &identity, *tenant),
            ),
            CustomerRef::Missing | CustomerRef::Malformed(_) | CustomerRef::NotAllowed { .. } => {
                (Fact::NOT_READ, Fact::NOT_READ, CostFacts::UNKNOWN, PlanFacts::UNKNOWN)
            }
        };
        let purchases = purchases::facts(pass, &identity.name, &reference, before);
        let facts = Facts {
            profile,
            estate,
            cost,
            plan: azure_plan,
            is_deleting: pass.object.metadata.deletion_timestamp.is_some(),
            attempt: pass.attempt.clone(),
            started: pass.context.started,
            purchases,
        };
        Ok(plan(&identity, &reference, &wish, &facts, before, pass.context.intervals, pass.now))
    }

    fn execute<'a>(pass: &'a mut Pass<'_, Self>, action: &'a Action) -> BoxFuture<'a, Result<Progress, Error>> {
        Box::pin(async move {
            match action {
                Action::ShowCharges { tenant, account, view, told } => {
                    show_charges(pass, *tenant, account, *view).await?;
                    // At once: nothing would tell a later pass that it was this operator's change.
                    pass.publish(std::slice::from_ref(told)).await;
                    Ok(Progress::LookAgain)
                }
                Action::TellPermissions(event) => {
                    purchases::tell_permissions(pass, event).await;
                    Ok(Progress::GoesOn)
                }
                Action::PreparePlan { tenant, reseller, replaced } => {
                    prepare_plan(pass, *tenant, reseller.as_deref(), replaced.as_ref()).await
                }
                Action::BuyPlan { tenant, record } => buy_plan(pass, *tenant, record).await,
            }
        })
    }

    fn reported(context: &Context, object: &Self::Object, status: &CustomerStatus) {
        if let Some(tenant) = named_tenant(object) {
            let shown = status.cost_management.as_ref().and_then(|cost| cost.change.as_deref());
            context.inventory.change_shown(tenant, shown);
        }
        if let Some(uid) = &object.metadata.uid {
            context.metrics.purchases(uid, &status.purchases, Timestamp::now());
        }
        if let Some(identity) = Identity::of(&object.metadata) {
            context.permits.told(&identity.name, status.purchases_permitted.as_ref());
        }
    }
}

/// What is known of a customer's charges.
fn cost(pass: &Pass<'_, Customer>, identity: &Identity, tenant: TenantId, before: &CustomerStatus) -> CostFacts {
    if pass.object.spec.cost_management == CostManagement::Unmanaged {
        return CostFacts::UNKNOWN;
    }
    let inventory = &pass.context.inventory;
    let accounts = pass.fact(&Need::BillingAccounts, || inventory.billing_accounts());
    let account = accounts.known().and_then(|accounts| accounts.first()).cloned();
    let view = match account {
        Some(account) => pass.fact(&Need::Charges(tenant, account), || inventory.charges(tenant)),
        None => inventory.charges(tenant),
    };
    let begun = inventory.begun_change(tenant);
    let change = before.cost_management.as_ref().and_then(|cost| cost.change.clone());
    let progress =
        change.or_else(|| begun.as_ref().map(|begun| begun.operation.clone())).map_or(Fact::NOT_READ, |operation| {
            let known = || inventory.charges_change(tenant, &operation);
            pass.fact(&Need::ChargesChange(tenant, operation.clone()), known)
        });
    let others = rivals(pass.context, identity, tenant)
        .into_iter()
        .filter(|one| one.wish.cost_management != CostManagement::Unmanaged)
        .map(|Contender { name, uid, created, wish }| Contender { name, uid, created, wish: wish.cost_management })
        .collect();
    CostFacts { others, accounts, view, begun, progress }
}

/// What is known of a customer's Azure plan.
fn azure_plan(pass: &Pass<'_, Customer>, identity: &Identity, tenant: TenantId) -> PlanFacts {
    let (context, spec) = (pass.context, &pass.object.spec);
    let is_estate_read_anyway = !context.index().subscriptions_of_tenant(tenant).is_empty();
    if spec.azure_plan != AzurePlanPolicy::Purchase {
        return PlanFacts { is_estate_read_anyway, ..PlanFacts::UNKNOWN };
    }
    let partner = context.inventory.partner.facts(pass.now, pass.is_asked_anew());
    let others = rivals(context, identity, tenant)
        .into_iter()
        .filter(|one| one.wish.plan.policy == AzurePlanPolicy::Purchase)
        .map(|Contender { name, uid, created, wish }| Contender { name, uid, created, wish: wish.plan })
        .collect();
    PlanFacts {
        others,
        is_estate_read_anyway,
        may_purchase: context.may_purchase_plans,
        agreement: pass.fact(&Need::Agreement(tenant), || context.inventory.agreement(tenant)),
        partner: PartnerFacts { is_clock_off: context.remote.clock.is_off(), ..partner },
        record: pass.fact(&Need::PlanPurchase(tenant), || context.ledger.record(tenant)),
    }
}

/// Other Customers that mean the tenant and are to stay.
fn rivals(context: &Context, identity: &Identity, tenant: TenantId) -> Vec<Contender<CustomerWish>> {
    let names = context.index().customers_of_tenant(tenant);
    names
        .iter()
        .filter(|name| **name != identity.name)
        .filter_map(|name| context.customers.get(name))
        .filter(|object| object.metadata.deletion_timestamp.is_none())
        // What its namespace may not act for stands in nobody's way.
        .filter(|object| reference(context, Some(object)) == CustomerRef::Found(tenant))
        .filter_map(|object| {
            let Identity { name, uid, created, .. } = Identity::of(&object.metadata)?;
            Some(Contender { name, uid, created, wish: wishes::of_customer(&object) })
        })
        .collect()
}

/// Shows a customer its charges, or hides them, and notes what has come of it.
async fn show_charges(
    pass: &mut Pass<'_, Customer>,
    tenant: TenantId,
    account: &BillingAccount,
    view: ChargeView,
) -> Result<(), Error> {
    let planned = &*pass;
    let sure = planned.remote.billing.once_sure(tenant, GRANT_SENT_WITHIN, || planned.make_sure(tenant));
    let client = match sure.await {
        Ok(client) => client,
        Err(error) => return Err(pass.ended_by(error)),
    };
    let inventory = &pass.context.inventory;
    let at = Timestamp::now();
    // Whatever becomes of this pass, what the customer sees is unknown until the answer is there.
    inventory.charges_change_begins(tenant);
    match client.show_charges(tenant, account, view).await {
        Ok(change) => {
            inventory.charges_changed(tenant, view, change, at);
            pass.has_acted = true;
            pass.attempt = Attempt::Accepted;
            let what = format!("what the customer sees of its charges is to be {view:?}");
            pass.decided(Decision::ShowCharges, "WriteAccepted", Some(tenant), None, what);
            Ok(())
        }
        Err(error) => Err(pass.ended_by(error.into())),
    }
}

/// Puts an Azure plan into a cart, and remembers the cart before anything is done with it.
async fn prepare_plan(
    pass: &mut Pass<'_, Customer>,
    tenant: TenantId,
    reseller: Option<&str>,
    replaced: Option<&PlanPurchase>,
) -> Result<Progress, Error> {
    let ledger = &pass.context.ledger;
    ledger.check(tenant).await.map_err(|error| pass.ended_by(error))?;
    let cart = pass.remote.partner_center.plan_cart(tenant, reseller).await;
    let cart = cart.map_err(|error| pass.ended_by(error.into()))?;
    let (reseller, at) = (reseller.map(str::to_owned), now());
    let record = PlanPurchase { cart, reseller, at, stage: PurchaseStage::Prepared, refusal: None };
    ledger.write(tenant, replaced, record).await.map_err(|error| pass.ended_by(error))?;
    Ok(Progress::GoesOn)
}

/// Checks out the cart that is remembered. That it may have been is remembered first, and what came of it afterwards.
async fn buy_plan(pass: &mut Pass<'_, Customer>, tenant: TenantId, record: &PlanPurchase) -> Result<Progress, Error> {
    let planned = &*pass;
    let ledger = &planned.context.ledger;
    let sure = planned.remote.partner_center.once_sure_to_buy(tenant, GRANT_SENT_WITHIN, || planned.make_sure(tenant));
    let client = match sure.await {
        Ok(client) => client,
        Err(error) => return Err(pass.ended_by(error)),
    };
    let sent = PlanPurchase { at: now(), stage: PurchaseStage::Sent, refusal: None, ..record.clone() };
    if let Err(error) = ledger.write(tenant, Some(record), sent.clone()).await {
        return Err(pass.ended_by(error));
    }
    // What the customer has of Azure is another thing from now on.
    planned.context.inventory.estate_changed(tenant);
    let result = client.check_out(tenant, &record.cart).await;
    if let Ok(orders) = &result {
        let what = format!("bought an Azure plan with cart {}: {orders:?}", record.cart);
        planned.decided(Decision::BuyPlan, "PlanOrdered", Some(tenant), None, what);
        planned.context.metrics.plan_purchased();
    }
    let end = match &result {
        Ok(_) => CheckOut::Ordered,
        Err(error) if error.may_have_arrived() => CheckOut::Unknown,
        Err(error) if error.cart_missing() => CheckOut::NoSuchCart,
        Err(_) => CheckOut::Refused,
    };
    let ended = match &result {
        // What has never left leaves things as they were.
        Err(error) if error.was_never_sent() => record.clone(),
        _ => {
            let stage = record.stage.after(end);
            let refusal = result.as_ref().err().filter(|_| stage == PurchaseStage::Refused);
            // All tenants' entries share one ConfigMap.
            let refusal = refusal.map(|error| error.message().chars().take(REFUSAL_MAX).collect());
            PlanPurchase { at: now(), stage, refusal, ..sent.clone() }
        }
    };
    if let Err(error) = ledger.settle(tenant, &sent, ended).await {
        return Err(pass.ended_by(error));
    }
    match result {
        Ok(_) => {
            pass.has_acted = true;
            pass.attempt = Attempt::Accepted;
            Ok(Progress::LookAgain)
        }
        Err(error) => Err(pass.ended_by(error.into())),
    }
}

/// To the second: it is written down and compared.
fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH)
}
