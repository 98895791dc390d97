//! A grant is sent soon after it was made sure of, or not at all; a revoke is sent whenever its turn comes.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU16;

use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::*;
use crate::model::{Assignee, AssigneeKind, Policy, Urgency};
use crate::remote::{Advice, Allowance, Errand, Error, PartnerCenter};

/// How long a grant may be sent.
const LASTS: Duration = Duration::from_secs(10);

/// So many calls a minute, and no request that ends because the clock is set forward.
fn limits(calls: u16) -> Limits {
    Limits {
        partner_center_calls: Allowance::per_minute(NonZeroU16::new(calls).unwrap()),
        request_timeout: Duration::from_hours(1),
        write_timeout: Duration::from_hours(1),
        connect_timeout: Duration::from_hours(1),
        ..quick()
    }
}

async fn stage(replies: impl IntoIterator<Item = Reply>) -> Stage {
    Stage::with(replies, limits(500), Arc::new(Unfenced)).await
}

fn created() -> Reply {
    reply(201, policy(&["AzureReservedInstances"]))
}

/// A look that takes no time, and finds that all is as it was.
async fn look() -> Result<Instant, Error> {
    Ok(Instant::now())
}

async fn create(client: &PartnerCenter) -> Result<Policy, Error> {
    client.create_policy(customer(), &reservations(), Uuid::from_u128(7)).await
}

async fn grant(stage: &Stage) -> Result<Policy, Error> {
    create(&stage.remote.partner_center.once_sure(customer(), LASTS, look).await?).await
}

#[tokio::test]
async fn a_grant_is_repeated_only_until_its_time_is_over() {
    let (soon, late) = (LASTS / 2, LASTS + Duration::from_secs(1));
    for (later, sent) in [(soon, 2), (late, 1)] {
        let stage = stage([reply(503, "").later_by(later), created()]).await;
        let result = grant(&stage).await;
        assert_eq!(stage.seen().len(), sent, "{later:?}");
        assert_eq!(result.is_ok(), sent == 2, "{result:?}");
        let Err(error) = result else { continue };
        assert!(error.may_have_arrived() && !error.is_late(), "the first one may have had its effect");
        assert_eq!((error.reason(), error.advice()), ("ServerError", Advice::RetrySoon), "and what it met is told");
    }
}

#[tokio::test]
async fn a_grant_whose_time_ends_while_a_repetition_waits_for_its_turn_is_not_repeated() {
    let almost = LASTS.checked_sub(Duration::from_millis(50)).unwrap();
    let replies = [reply(503, "").later_by(almost), created()];
    let stage = Stage::with(replies, limits(1), Arc::new(Unfenced)).await;
    let error = grant(&stage).await.unwrap_err();
    assert_eq!((stage.seen().len(), error.may_have_arrived()), (1, true), "{error:?}");
}

#[tokio::test]
async fn a_grant_whose_token_is_renewed_too_late_is_not_sent_again() {
    let late = LASTS + Duration::from_secs(1);
    for (replies, may_have_arrived) in [
        (vec![reply(401, "").later_by(late), created()], false),
        (vec![reply(500, ""), reply(401, "").later_by(late), created()], true),
    ] {
        let sent = replies.len() - 1;
        let stage = stage(replies).await;
        let error = grant(&stage).await.unwrap_err();
        assert_eq!(stage.seen().len(), sent);
        assert_eq!((error.reason(), error.category()), ("NotSentInTime", "not_sent_in_time"), "{error:?}");
        assert_eq!((error.advice(), error.denial()), (Advice::RetrySoon, None));
        assert_eq!((error.may_have_arrived(), error.is_late()), (may_have_arrived, !may_have_arrived));
        // A pass of which nothing was sent is not told of; else the object shows it.
        let told = matches!(crate::reconcile::Error::from(error), crate::reconcile::Error::Remote(_));
        assert_eq!(told, may_have_arrived);
    }
}

#[tokio::test]
async fn a_sign_in_that_takes_too_long_leaves_nothing_sent() {
    let stage = stage([created()]).await;
    stage.sign_ins_answer([super::grant(1).later_by(LASTS + Duration::from_secs(1))]);
    let error = grant(&stage).await.unwrap_err();
    assert!(error.is_late(), "{error:?}");
    assert_eq!(stage.seen().len(), 0);
    grant(&stage).await.unwrap();
    assert_eq!(stage.sign_ins().len(), 1, "the token was kept");
}

#[tokio::test]
async fn a_role_is_assigned_soon_after_it_was_made_sure_of_or_not_at_all() {
    let stage = stage([reply(503, "").later_by(LASTS + Duration::from_secs(1)), reply(201, "{}")]).await;
    let (id, subscription) = ("d0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000001");
    let subscription = subscription.parse().unwrap();
    let assignee =
        Assignee { principal: id.parse().unwrap(), kind: AssigneeKind::User, assignment: Uuid::from_u128(7) };
    let azure = stage.remote.azure.once_sure(customer(), subscription, LASTS, look).await.unwrap();
    let error = azure.assign_owner(customer(), subscription, &assignee).await.unwrap_err();
    assert_eq!((stage.seen().len(), error.may_have_arrived()), (1, true), "{error:?}");
}

#[tokio::test]
async fn a_revoke_is_repeated_however_late_it_is() {
    let late = Duration::from_mins(5);
    let replies = [reply(503, "").later_by(late), reply(401, "").later_by(late), reply(204, "")];
    let stage = stage(replies).await;
    stage.remote.partner_center.await_turn(customer()).await.unwrap();
    assert!(stage.remote.partner_center.delete_policy(customer(), "p_c", Uuid::from_u128(7)).await.unwrap());
    assert_eq!(stage.seen().len(), 3);
}

/// A grant that is made sure of by looks of two seconds each, while the budget is spent and two hundred wait for it. Gives
/// how often was looked, and how long ago the last look began when there was a turn.
async fn grant_when_looking_is_slow(calls: u16) -> (usize, Duration) {
    let stage = Stage::with([reply(200, json!({ "items": [] })), created()], limits(calls), Arc::new(Unfenced)).await;
    // For the token.
    stage.remote.partner_center.policy(customer()).await.unwrap();
    let others = RefCell::new(JoinSet::new());
    tokio::time::pause();
    let remote = stage.remote.on(&Errand::new(Urgency::Change));
    let (looks, looked_at) = (Cell::new(0), Cell::new(Instant::now()));
    let client = remote.partner_center.once_sure(customer(), LASTS, async || {
        looked_at.set(Instant::now());
        looks.set(looks.get() + 1);
        if looks.get() == 1 {
            for _ in 0..200 {
                let remote = stage.remote.on(&Errand::new(Urgency::Change));
                others.borrow_mut().spawn(async move { remote.partner_center.await_turn(customer()).await });
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok::<_, Error>(looked_at.get())
    });
    let client = client.await.unwrap();
    let age = looked_at.get().elapsed();
    tokio::time::resume();
    create(&client).await.unwrap();
    let writes = stage.seen().into_iter().filter(|seen| seen.method == "POST").count();
    assert_eq!(writes, 1);
    (looks.get(), age)
}

#[tokio::test]
async fn a_grant_that_is_slow_to_be_made_sure_of_is_sent_once_and_need_not_queue_again() {
    let (looks, age) = grant_when_looking_is_slow(60).await;
    assert_eq!(looks, 1);
    assert!(age < LASTS, "{age:?}");
}

#[tokio::test]
async fn a_grant_is_made_sure_of_once_more_when_its_turn_is_too_long_in_coming() {
    // One turn in twelve seconds.
    let (looks, age) = grant_when_looking_is_slow(5).await;
    assert!(looks == 2 || looks == 3, "{looks}");
    assert!(age < LASTS, "{age:?}");
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_cannot_be_made_sure_of_in_time_is_given_up_for_a_while() {
    let stage = stage([]).await;
    let looks = Cell::new(0);
    let look = async || {
        looks.set(looks.get() + 1);
        let at = Instant::now();
        tokio::time::sleep(LASTS * 2).await;
        Ok::<_, Error>(at)
    };
    let error = stage.remote.partner_center.once_sure(customer(), LASTS, look).await.unwrap_err();
    assert!(error.is_late() && looks.get() == 3, "{error:?} {}", looks.get());
    let refused = async || Err::<Instant, Error>(Error::stale_policy(customer()));
    let refused = stage.remote.partner_center.once_sure(customer(), LASTS, refused).await.unwrap_err();
    assert_eq!(refused.reason(), "StaleAnswer", "what the look finds is told as it is");
}
