//! A purchase that is killed at every step: in the end there is one plan, and never two.

use jiff::SignedDuration;

use super::plans::estate;
use super::*;
use crate::model::{AzurePlanKind, CartId, CheckOut, PartnerKind, PurchaseStage};
use crate::plan::PartnerQuestion;
use crate::plan::partner::PartnerFacts;

/// How late an order shows, as documented at the worst.
const ORDER_DELAY: SignedDuration = SignedDuration::from_secs(15 * 60 - 1);
/// More steps than two passes with a purchase have.
const STEPS: usize = 8;

/// What Partner Center does with a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Ordered,
    /// It is done, and the answer is lost.
    Lost,
    /// It never arrives.
    NeverArrived,
    Refused,
}

/// The process is killed.
struct Killed;

struct World {
    case: Case,
    // Partner Center.
    carts: Vec<(CartId, bool)>,
    orders: Vec<Timestamp>,
    /// For the first checkouts; then they are ordered.
    answers: Vec<Answer>,
    // The operator's record.
    ledger: Option<PlanPurchase>,
    /// After so many steps the process is killed, and so on.
    kills: Vec<usize>,
    /// Whether the object is made anew with every kill, so that its status is lost.
    is_made_anew: bool,
}

impl World {
    fn new(answers: &[Answer], kills: &[usize], is_made_anew: bool) -> Self {
        let mut case = fresh();
        case.wish.plan.policy = AzurePlanPolicy::Purchase;
        Self {
            case,
            carts: Vec::new(),
            orders: Vec::new(),
            answers: answers.iter().rev().copied().collect(),
            ledger: None,
            kills: kills.iter().rev().copied().collect(),
            is_made_anew,
        }
    }

    /// One thing that lasts beyond the process.
    fn step(&mut self) -> Result<(), Killed> {
        match self.kills.last_mut() {
            Some(0) => {
                self.kills.pop();
                Err(Killed)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn read(&mut self, need: &Need) {
        let now = self.case.now;
        match need {
            Need::Customer(_) => {
                self.case.facts.profile = self.case.clone().reads(Some(Relationship::Reseller)).facts.profile;
            }
            Need::Estate(_) => {
                let shows = self.orders.iter().any(|at| *at + ORDER_DELAY <= now);
                let plans: &[_] = if shows { &[(AzurePlanKind::AzurePlan, "active")] } else { &[] };
                self.case.facts.estate = Fact::Known { value: estate(plans), at: now };
            }
            Need::Agreement(_) => self.case.facts.plan.agreement = Fact::Known { value: true, at: now },
            Need::PlanPurchase(_) => self.remember(),
            Need::Partner(PartnerQuestion::Kind) => {
                self.case.facts.plan.partner.kind = Fact::Known { value: PartnerKind::DirectBill, at: now };
            }
            Need::Partner(PartnerQuestion::AdminAgents) => {
                self.case.facts.plan.partner.is_admin_agent = Fact::Known { value: true, at: now }
            }
            other => panic!("{other:?}"),
        }
    }

    fn remember(&mut self) {
        self.case.facts.plan.record = Fact::Known { value: self.ledger.clone(), at: self.case.now };
    }

    /// As the shell does it.
    fn execute(&mut self, action: &Action) -> Result<bool, Killed> {
        let at = self.case.now;
        match action {
            Action::PreparePlan { reseller, replaced, .. } => {
                self.step()?;
                let cart: CartId = format!("cart-{}", self.carts.len()).parse().unwrap();
                self.carts.push((cart.clone(), false));
                self.step()?;
                assert_eq!(self.ledger, *replaced);
                let stage = PurchaseStage::Prepared;
                self.ledger = Some(PlanPurchase { cart, reseller: reseller.clone(), at, stage, refusal: None });
                self.remember();
                Ok(true)
            }
            Action::BuyPlan { record, .. } => {
                self.step()?;
                assert_eq!(self.ledger.as_ref(), Some(record));
                let sent = PlanPurchase { at, stage: PurchaseStage::Sent, ..record.clone() };
                self.ledger = Some(sent.clone());
                self.step()?;
                self.case.facts.estate = Fact::NOT_READ;
                let end = self.check_out(&record.cart);
                self.step()?;
                self.ledger = Some(PlanPurchase { stage: record.stage.after(end), ..sent });
                self.remember();
                let failure =
                    crate::plan::permission::Failure { reason: "X", message: "x".into(), needs_person: false };
                let is_ordered = end == CheckOut::Ordered;
                self.case.facts.attempt = if is_ordered { Attempt::Accepted } else { Attempt::Failed(failure) };
                Ok(is_ordered)
            }
            Action::ShowCharges { .. } | Action::TellPermissions(_) => panic!("nobody asks for that"),
        }
    }

    fn check_out(&mut self, cart: &CartId) -> CheckOut {
        let answer = self.answers.pop().unwrap_or(Answer::Ordered);
        let Some(found) = self.carts.iter_mut().find(|(id, is_spent)| id == cart && !is_spent) else {
            return CheckOut::NoSuchCart;
        };
        if matches!(answer, Answer::Ordered | Answer::Lost) {
            found.1 = true;
            self.orders.push(self.case.now);
        }
        match answer {
            Answer::Ordered => CheckOut::Ordered,
            Answer::Lost | Answer::NeverArrived => CheckOut::Unknown,
            Answer::Refused => CheckOut::Refused,
        }
    }

    /// One pass; gives when the next one is.
    fn pass(&mut self) -> Result<Wait, Killed> {
        self.case.facts.attempt = Attempt::None;
        for _ in 0..12 {
            let plan = self.case.plan();
            if !plan.needs.is_empty() {
                for need in &plan.needs {
                    self.read(need);
                }
                continue;
            }
            let before = std::mem::replace(&mut self.case.before, plan.status.clone());
            for action in &plan.actions {
                match self.execute(action) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(killed) => {
                        self.case.before = before;
                        return Err(killed);
                    }
                }
            }
            if plan.actions.is_empty() {
                self.step()?;
                return Ok(plan.next);
            }
        }
        panic!("the pass does not end: {:?}", self.case.plan())
    }

    /// Until a plan shows; for a few days at most.
    fn run(mut self) -> Self {
        let start = self.case.now;
        let mut stored = self.case.before.clone();
        while self.case.now.duration_since(start) < SignedDuration::from_hours(72) {
            if let Ok(next) = self.pass() {
                stored = self.case.before.clone();
                if is_true(&stored.conditions, ConditionType::Ready) {
                    return self;
                }
                let Wait::Until(next) = next else { panic!("it would wait for ever: {stored:?}") };
                self.case.now = next.max(self.case.now + SignedDuration::from_secs(1));
            } else {
                // Another process, which has read nothing yet.
                self.case.now += SignedDuration::from_secs(3);
                self.case.before = if self.is_made_anew { CustomerStatus::default() } else { stored.clone() };
                self.case.facts = nothing_read(self.case.now);
            }
            self.case.facts.plan = PlanFacts {
                may_purchase: true,
                partner: PartnerFacts { ..self.case.facts.plan.partner.clone() },
                ..self.case.facts.plan.clone()
            };
            assert!(self.orders.len() <= 1, "bought twice");
        }
        self
    }
}

#[test]
fn killed_at_every_step_and_answered_in_every_way_there_is_one_plan_in_the_end() {
    use Answer::{Lost, NeverArrived, Ordered, Refused};
    let answers: [&[Answer]; 6] =
        [&[Ordered], &[Lost], &[NeverArrived], &[Refused], &[NeverArrived, Refused], &[Refused, Lost]];
    let (mut runs, mut bought) = (0, 0);
    for answers in answers {
        for is_made_anew in [false, true] {
            for first in 0..STEPS {
                for second in 0..STEPS {
                    let mut world = World::new(answers, &[first, second], is_made_anew);
                    world.case.facts.plan.may_purchase = true;
                    let world = world.run();
                    let what = format!("{answers:?} {first} {second} {is_made_anew}");
                    assert_eq!(world.orders.len(), 1, "{what}: {:?} {:?}", world.ledger, world.case.before);
                    assert!(is_true(&world.case.before.conditions, ConditionType::Ready), "{what}");
                    runs += 1;
                    bought += world.orders.len();
                }
            }
        }
    }
    assert_eq!((runs, bought), (6 * 2 * STEPS * STEPS, 6 * 2 * STEPS * STEPS));
}
