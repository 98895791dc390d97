//! What this process knows of the partner as a whole: answers to what was asked, and what has come of sign-ins and writes.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::reading::Reading;
use crate::model::{Denial, Fact, Group, Ignorance, PartnerKind, TenantId};
use crate::plan::partner::{PartnerFacts, Refused, Writes};
use crate::plan::{Need, PartnerQuestion};
use crate::remote::{Error as RemoteError, Remote};

/// Members of this group of the partner's tenant are its Admin agents. Microsoft makes it, and its name is fixed.
const ADMIN_AGENTS: &str = "AdminAgents";

/// A question that could not be answered is not asked again for this long, unless a person wants it.
const FAILURE_KEPT: SignedDuration = SignedDuration::from_mins(10);

/// How long a grant waits for the outcome of another one that is the first of this sign-in.
const TRIAL_MAX: Duration = Duration::from_secs(30);

/// Reasons of denials that a sign-in which works refutes. All others are about what the signed-in user may do.
const OF_THE_SIGN_IN: [&str; 4] = ["CredentialsInvalid", "OtherPartner", "MfaRequired", "ConditionalAccess"];

/// Everything about the partner.
#[derive(Debug)]
pub(super) struct Partner {
    state: Mutex<State>,
    trial: tokio::sync::Mutex<()>,
    denial: watch::Sender<Option<Denial>>,
}

/// A grant that may be the first of this sign-in. To be kept until what has come of it is noted.
#[must_use]
#[derive(Debug)]
pub(super) struct Trial<'a> {
    _turn: Option<tokio::sync::MutexGuard<'a, ()>>,
}

#[derive(Debug, Default)]
struct State {
    kind: Option<Reading<Answer<PartnerKind>>>,
    is_admin_agent: Option<Reading<Answer<bool>>>,
    writes: Writes,
    sign_in_refused: Option<Refused>,
    /// What was asked for when a reading was refused to the partner as a whole.
    reads_refused: HashMap<Question, Refused>,
    /// Since when it is this sign-in; what was asked before is of no use.
    since: Option<Timestamp>,
}

/// What is asked for, whomever it is about; the activity log is no fact of a plan.
type Question = Option<Discriminant<Need>>;

/// Or the reason and the message of the failure.
type Answer<T> = Result<T, (&'static str, String)>;

impl Default for Partner {
    fn default() -> Self {
        Self { state: Mutex::default(), trial: tokio::sync::Mutex::default(), denial: watch::channel(None).0 }
    }
}

impl Partner {
    /// All that is known. Failures to answer are forgotten after ten minutes, and at once where a person wants
    /// everything asked anew.
    pub(super) fn facts(&self, now: Timestamp, is_asked_anew: bool) -> PartnerFacts {
        let facts = facts(&self.state(), now, is_asked_anew);
        // Time alone ends a denial.
        self.tell(&facts, now);
        facts
    }

    /// Why the partner as a whole may not grant; changes are told.
    pub(super) fn denial(&self) -> watch::Receiver<Option<Denial>> {
        self.denial.subscribe()
    }

    /// Asks one of the questions about the partner, and keeps the answer or that there is none.
    pub(super) async fn ask(
        &self,
        remote: &Remote,
        question: PartnerQuestion,
        at: Timestamp,
    ) -> Result<(), RemoteError> {
        let error = match question {
            PartnerQuestion::Kind => {
                let answer = remote.partner_center.partner_kind().await;
                let (answer, error) = split(answer);
                self.change(|state| state.put(at, |state| state.kind = Some(Reading::new(answer, at))));
                error
            }
            PartnerQuestion::AdminAgents => {
                let (groups, error) = split(remote.graph.own_groups().await);
                let answer = groups.and_then(|groups| is_admin_agent(&groups));
                self.change(|state| state.put(at, |state| state.is_admin_agent = Some(Reading::new(answer, at))));
                error
            }
        };
        error.map_or(Ok(()), Err)
    }

    /// When one of the questions was last asked, whatever came of it.
    pub(super) fn asked_at(&self, question: PartnerQuestion) -> Option<Timestamp> {
        let state = self.state();
        match question {
            PartnerQuestion::Kind => state.kind.as_ref().map(Reading::at),
            PartnerQuestion::AdminAgents => state.is_admin_agent.as_ref().map(Reading::at),
        }
    }

    /// Notes what a failure to read `need`, or the activity log, says of the partner as a whole, if it does.
    pub(super) fn read_failed(&self, need: Option<&Need>, error: &RemoteError, at: Timestamp) {
        let Some(denial) = error.denial() else { return };
        let refused = Refused { denial, at };
        self.change(|state| {
            state.put(at, |state| {
                if is_of_the_sign_in(&refused.denial) {
                    state.sign_in_refused = Some(refused);
                } else {
                    state.reads_refused.insert(need.map(discriminant), refused);
                }
            });
        });
    }

    /// Notes that `need`, or the activity log, was read in the user's name: the sign-in works, and may do that.
    pub(super) fn read(&self, need: Option<&Need>) {
        let question = need.map(discriminant);
        let state = self.state();
        let is_news = state.sign_in_refused.is_some() || state.reads_refused.contains_key(&question);
        drop(state);
        if is_news {
            self.change(|state| {
                state.sign_in_refused = None;
                state.reads_refused.remove(&question);
            });
        }
    }

    /// Notes what a failed write says of the partner as a whole, if it does.
    pub(super) fn write_failed(&self, customer: TenantId, is_grant: bool, error: &RemoteError, at: Timestamp) {
        let Some(denial) = error.denial() else { return };
        self.change(|state| {
            state.put(at, |state| {
                if is_of_the_sign_in(&denial) {
                    state.sign_in_refused = Some(Refused { denial, at });
                } else if is_grant {
                    state.writes.refused(customer, denial, at);
                }
            });
        });
    }

    /// Notes that Partner Center has accepted a write.
    pub(super) fn write_accepted(&self, at: Timestamp) {
        self.change(|state| {
            state.put(at, |state| {
                state.writes.accepted(at);
                state.sign_in_refused = None;
                state.reads_refused.clear();
            });
        });
    }

    /// Forgets everything: it may be another user, or another partner.
    pub(super) fn sign_in_changed(&self) {
        self.change(|state| *state = State { since: Some(Timestamp::now()), ..State::default() });
    }

    /// Waits while another grant is under way that is the first of this sign-in: if that one is refused, so would this
    /// one be.
    pub(super) async fn trial(&self) -> Trial<'_> {
        if self.state().writes.accepted_at().is_some() {
            return Trial { _turn: None };
        }
        let turn = tokio::time::timeout(TRIAL_MAX, self.trial.lock()).await.ok();
        Trial { _turn: turn.filter(|_| self.state().writes.accepted_at().is_none()) }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let now = Timestamp::now();
        let facts = {
            let mut state = self.state();
            change(&mut state);
            facts(&state, now, false)
        };
        self.tell(&facts, now);
    }

    fn tell(&self, facts: &PartnerFacts, now: Timestamp) {
        let denial = facts.authorization(now).denial().cloned();
        self.denial.send_if_modified(|told| {
            let is_news = *told != denial;
            if is_news {
                if let Some(denial) = &denial {
                    tracing::warn!(reason = denial.reason, "nothing is granted: {}", denial.message);
                } else {
                    tracing::info!("nothing is known any more that stops all grants");
                }
                *told = denial;
            }
            is_news
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Changes what is known, unless that began with another sign-in.
    fn put(&mut self, at: Timestamp, change: impl FnOnce(&mut Self)) {
        if self.since.is_none_or(|since| at >= since) {
            change(self);
        }
    }
}

fn facts(state: &State, now: Timestamp, is_asked_anew: bool) -> PartnerFacts {
    let failures_since = if is_asked_anew { now } else { now.saturating_sub(FAILURE_KEPT).unwrap_or(Timestamp::MIN) };
    PartnerFacts {
        kind: fact(state.kind.as_ref(), failures_since),
        is_admin_agent: fact(state.is_admin_agent.as_ref(), failures_since),
        accepted_at: state.writes.accepted_at(),
        sign_in_refused: state.sign_in_refused.clone(),
        write_refused: state.writes.refusal().cloned(),
        read_refused: state.reads_refused.values().max_by_key(|refused| (refused.at, refused.denial.reason)).cloned(),
        is_clock_off: false,
    }
}

fn fact<T: Clone>(reading: Option<&Reading<Answer<T>>>, failures_since: Timestamp) -> Fact<T> {
    match reading.map(|reading| (&reading.value, reading.at())) {
        Some((Ok(value), at)) => Fact::Known { value: value.clone(), at },
        Some((Err((reason, message)), at)) if at >= failures_since => {
            Fact::Unknown { why: Ignorance::Failed { reason, message: message.clone(), last_read: None } }
        }
        Some((Err(_), _)) | None => Fact::NOT_READ,
    }
}

fn is_of_the_sign_in(denial: &Denial) -> bool {
    OF_THE_SIGN_IN.contains(&denial.reason)
}

/// Whether one of the user's groups is that of the Admin agents, if their names may be read.
fn is_admin_agent(groups: &[Group]) -> Answer<bool> {
    if groups.iter().any(|group| group.name.as_deref() == Some(ADMIN_AGENTS)) {
        return Ok(true);
    }
    // Graph hides what the application may not see, instead of refusing: one of these may be it.
    if groups.iter().any(|group| group.name.is_none()) {
        let message = "Cannot read the names of the groups of the signed-in user: add Microsoft Graph's delegated permission GroupMember.Read.All to the application and consent to it in the partner's tenant";
        return Err(("GroupNamesHidden", message.to_owned()));
    }
    Ok(false)
}

fn split<T>(answer: Result<T, RemoteError>) -> (Answer<T>, Option<RemoteError>) {
    match answer {
        Ok(value) => (Ok(value), None),
        Err(error) => (Err((error.reason(), error.message())), Some(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[Option<&str>], expected: Result<bool, &'static str>) {
        let id = "f0000000-0000-4000-8000-000000000001".parse().unwrap();
        let groups: Vec<_> = names.iter().map(|name| Group { id, name: name.map(Into::into) }).collect();
        assert_eq!(is_admin_agent(&groups).map_err(|(reason, _)| reason), expected, "{names:?}");
    }

    #[test]
    fn only_the_group_of_exactly_that_name_makes_an_admin_agent() {
        check(&[Some("Staff"), Some("AdminAgents")], Ok(true));
        check(&[], Ok(false));
        check(&[Some("HelpdeskAgents"), Some("SalesAgents")], Ok(false));
        check(&[Some("adminagents"), Some("AdminAgents "), Some("My AdminAgents")], Ok(false));
    }

    #[test]
    fn a_group_whose_name_is_hidden_may_be_the_one() {
        check(&[None], Err("GroupNamesHidden"));
        check(&[Some("Staff"), None], Err("GroupNamesHidden"));
        check(&[None, Some("AdminAgents")], Ok(true));
    }

    #[test]
    fn an_answer_to_the_sign_in_of_before_is_not_kept() {
        let partner = Partner::default();
        let before = Timestamp::now() - SignedDuration::from_secs(5);
        partner.write_accepted(before);
        partner.sign_in_changed();
        partner.write_accepted(before);
        assert_eq!(partner.facts(Timestamp::now(), false), PartnerFacts::UNKNOWN);
        partner.write_accepted(Timestamp::now());
        assert!(partner.facts(Timestamp::now(), false).accepted_at.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_grant_goes_first_and_the_others_wait_for_what_comes_of_it() {
        let partner = Partner::default();
        let first = partner.trial().await;
        let waits = async {
            let _second = partner.trial().await;
            partner.facts(Timestamp::now(), false).accepted_at
        };
        let goes = async {
            tokio::task::yield_now().await;
            partner.write_accepted(Timestamp::now());
            drop(first);
        };
        assert!(futures::join!(waits, goes).0.is_some());
        // From then on nobody waits, and never for longer than for one whose outcome is long in coming.
        let _untested = (partner.trial().await, partner.trial().await);
        partner.sign_in_changed();
        let begun = tokio::time::Instant::now();
        let _two = (partner.trial().await, partner.trial().await);
        assert_eq!(begun.elapsed(), TRIAL_MAX);
    }
}
