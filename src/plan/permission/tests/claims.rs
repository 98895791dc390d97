//! What a claim is worth: finalizer and annotation alone, and with what bears them out.

use super::support::*;
use crate::api::{CustomerPurchasePermissionStatus, Mode};
use crate::model::{Origin, TenantId};
use crate::plan::CustomerRef;
use crate::plan::permission::{Contender, Record};

/// Finalizer and annotation of tenant 1 on an object whose Customer names this one, and of which no status tells. Its
/// policy has been read, and reservations are on although they are not wished.
fn by_hand(customer: CustomerRef) -> Case {
    Case::new(Deny, Deny)
        .claimed()
        .with(|case| {
            case.desired.record = Record::NONE;
            case.facts.prerequisites.customer = customer;
        })
        .holding(policy(&[Reservations]))
}

fn elsewhere() -> CustomerRef {
    CustomerRef::Found(tenant(2))
}

fn recorded(tenant: TenantId) -> Record {
    Record { tenant: Some(tenant), has_acted: false, is_untold: false }
}

#[test]
fn a_claim_that_nothing_bears_out_writes_nothing_and_learns_nothing() {
    for customer in [elsewhere(), CustomerRef::Missing] {
        let case = by_hand(customer.clone()).with(|case| {
            case.facts.activity = vec![record("r", case.now, Origin::Other, "ada@fabrikam.example")];
        });
        let plan = case.plan();
        assert_eq!((case.does(), case.shows("Stalled")), (String::new(), "True/ClaimUnproven".into()));
        assert_eq!((plan.status.tenant_id, plan.status.recent_activity, plan.status.effective), (None, vec![], None));
        assert!(plan.events.is_empty());
        let deleted = case.clone().deleting();
        assert_eq!((deleted.does(), deleted.shows("Stalled")), (String::new(), "True/ClaimUnproven".into()));
        assert_eq!(deleted.with(|case| case.desired.is_abandoned = true).does(), "release");
        let observed = case.clone().edited(|desired| desired.mode = Mode::Observe);
        assert_eq!(observed.does(), "release", "and then it looks at the customer that its Customer names");
        // Nor does it stand in anybody's way.
        assert_eq!(Contender::of(&case.desired, tenant(1), &customer, &[]), None);
    }
}

#[test]
fn the_customer_or_the_status_bears_a_claim_out() {
    assert_eq!(by_hand(CustomerRef::Found(tenant(1))).does(), "delete", "a status lost in a restore");
    for customer in [elsewhere(), CustomerRef::Missing] {
        let known = by_hand(customer).with(|case| case.desired.record = recorded(tenant(1)));
        assert_eq!(known.does(), "delete");
        assert_eq!(known.with(|case| case.desired.record = recorded(tenant(2))).does(), "");
    }
}

#[test]
fn after_a_crash_the_record_of_our_own_write_bears_it_out() {
    let wrote = |case: &Case, at| {
        case.clone().with(|case| {
            case.facts.activity = vec![record("r", at, Origin::Own, "operator@contoso.example")];
            case.facts.activity[0].seen_at = case.now - minutes(1);
        })
    };
    let crashed = by_hand(CustomerRef::Missing);
    let created = crashed.desired.identity.created;
    assert_eq!(wrote(&crashed, created + minutes(1)).does(), "delete");
    assert_eq!(wrote(&crashed, created - minutes(1)).does(), "", "another object's, from before this one was made");
    let others = wrote(&crashed, created).with(|case| case.facts.activity[0].origin = Origin::Rival);
    assert_eq!(others.does(), "");
    // Once its status tells that it was not believed, what is written is another object's.
    for mode in [Mode::Enforce, Mode::Suspend] {
        let told = crashed.clone().with(|case| case.desired.mode = mode).plan().status;
        let later = crashed.clone().later(minutes(5)).holding(policy(&[Reservations])).with(|case| {
            case.desired.record = Record::of(&told);
            case.before = told;
        });
        assert_eq!(wrote(&later, later.now - minutes(1)).does(), "", "{mode:?}");
    }
}

#[test]
fn a_status_tells_of_a_claim_only_once_it_is_believed() {
    let case = by_hand(CustomerRef::Found(tenant(1)));
    let status = case.plan().status;
    assert_eq!(Record::of(&status).tenant, Some(tenant(1)));
    let never = CustomerPurchasePermissionStatus::default();
    assert_eq!(Record::of(&never), Record::NONE);
    // It is told of another customer once its Customer names another and its claim is gone, not while it only says so.
    let moved = by_hand(elsewhere()).with(|case| case.before = status.clone());
    assert_eq!(moved.plan().status.tenant_id, status.tenant_id);
}
