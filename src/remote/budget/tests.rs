//! The budget of one service, on a clock that jumps from one thing to the next.

use std::cell::RefCell;
use std::ops::AsyncFn;
use std::rc::Rc;

use proptest::prelude::*;
use tokio::task::{JoinHandle, LocalSet};

use super::*;
use Urgency::{Change, Drift, Revoke, Sweep};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn allowance(calls: u16) -> Allowance {
    Allowance::per_minute(NonZeroU16::new(calls).unwrap())
}

fn about(customer: u8) -> Subject {
    let tenant = format!("c1a0c1a0-1111-4a11-8a11-0000000000{customer:02x}");
    Subject { customer: Some(tenant.parse().unwrap()), interface: "policies" }
}

/// A budget, and in which order it was used.
#[derive(Clone)]
struct Scene {
    budget: Rc<Budget>,
    start: Instant,
    granted: Rc<RefCell<Vec<(String, Duration)>>>,
}

impl Scene {
    fn new(calls: u16) -> Self {
        Self {
            budget: Rc::new(Budget::new(Service::PartnerCenter, allowance(calls))),
            start: Instant::now(),
            granted: Rc::default(),
        }
    }

    /// One whose bucket is empty.
    async fn spent(calls: u16) -> Self {
        let scene = Self::new(calls);
        while scene.available() > 0 {
            scene.budget.turn(&Errand::new(Revoke), about(0)).await.unwrap();
        }
        scene
    }

    /// Somebody who asks for a turn.
    fn ask(&self, name: &str, urgency: Urgency) -> JoinHandle<()> {
        self.ask_for(name, &Errand::new(urgency), about(0))
    }

    fn ask_for(&self, name: &str, errand: &Errand, subject: Subject) -> JoinHandle<()> {
        let (scene, errand, name) = (self.clone(), errand.clone(), name.to_owned());
        tokio::task::spawn_local(async move {
            let name = match scene.budget.turn(&errand, subject).await {
                Ok(_) => name,
                Err(error) => format!("{name}: {error}"),
            };
            scene.granted.borrow_mut().push((name, scene.start.elapsed()));
        })
    }

    fn names(&self) -> Vec<String> {
        self.granted.borrow().iter().map(|(name, _)| name.clone()).collect()
    }

    fn speed(&self) -> u64 {
        self.budget.state().speed.calls()
    }

    fn available(&self) -> u32 {
        self.budget.state().available()
    }

    fn waiting(&self) -> usize {
        Urgency::ALL.into_iter().map(|urgency| self.budget.state().queue.len(urgency)).sum()
    }
}

/// Lets everybody come to where they wait.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn run(test: impl AsyncFn()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test());
}

#[test]
fn turns_are_given_by_urgency_and_then_in_the_order_of_arrival() {
    run(async || {
        let scene = Scene::spent(5).await;
        for (name, urgency) in
            [("s1", Sweep), ("d1", Drift), ("c1", Change), ("s2", Sweep), ("r1", Revoke), ("c2", Change)]
        {
            scene.ask(name, urgency);
            settle().await;
        }
        tokio::time::sleep(MINUTE * 3).await;
        assert_eq!(scene.names(), ["r1", "c1", "c2", "d1", "s1", "s2"]);
    });
}

#[test]
fn a_revoke_that_comes_while_sweeps_wait_is_next() {
    run(async || {
        let scene = Scene::spent(60).await;
        for index in 0..200 {
            scene.ask(&format!("s{index}"), Sweep);
        }
        tokio::time::sleep(SECOND * 20).await;
        let before = scene.granted.borrow().len();
        scene.ask("revoke", Revoke);
        tokio::time::sleep(MINUTE * 4).await;
        let names = scene.names();
        assert!(before > 0 && names.len() == 201, "{before} {}", names.len());
        assert_eq!(names[before], "revoke");
    });
}

#[test]
fn a_wait_that_becomes_urgent_is_over_soon() {
    run(async || {
        let scene = Scene::spent(5).await;
        let errand = Errand::new(Sweep);
        for index in 0..9 {
            scene.ask(&format!("c{index}"), Change);
        }
        scene.ask_for("sweep", &errand, about(1));
        settle().await;
        errand.raise(Revoke);
        tokio::time::sleep(MINUTE * 3).await;
        assert_eq!(scene.names()[0], "sweep");
        assert!(errand.waited() > SECOND && !errand.is_waiting());
    });
}

#[test]
fn who_is_dropped_while_waiting_leaves_the_queue_and_takes_no_token() {
    run(async || {
        let scene = Scene::spent(60).await;
        let asked: Vec<_> = (0..20).map(|index| scene.ask(&format!("{index}"), Sweep)).collect();
        settle().await;
        for (index, asked) in asked.iter().enumerate() {
            // The first one, which is the one that watches the time, is among them.
            if index % 2 == 0 {
                asked.abort();
            }
        }
        settle().await;
        assert_eq!(scene.waiting(), 10);
        let others: Vec<_> = (0..20).filter(|index| index % 2 == 1).map(|index| index.to_string()).collect();
        tokio::time::sleep(SECOND * 15).await;
        assert_eq!(scene.names(), others, "one a second and a bit, so none was lost");
        assert_eq!(scene.waiting(), 0);
    });
}

#[test]
fn a_complaint_about_one_customer_holds_up_no_other() {
    run(async || {
        let scene = Scene::new(500);
        scene.budget.complained(about(1), Instant::now(), SECOND * 57);
        let errand = Errand::new(Revoke);
        scene.ask_for("paused", &errand, about(1));
        scene.ask_for("other", &errand, about(2));
        settle().await;
        let told = "paused: the service has asked for a pause, which lasts 57 s more";
        assert_eq!(scene.names(), [told, "other"]);
        assert_eq!(scene.speed(), 500, "one customer's limit is not the partner's");
        tokio::time::sleep(SECOND * 57).await;
        scene.ask_for("again", &errand, about(1));
        settle().await;
        assert_eq!(scene.names()[2], "again");
    });
}

#[test]
fn complaints_about_two_customers_pause_all_and_halve_the_rate_once() {
    run(async || {
        let scene = Scene::spent(60).await;
        let sent_at = Instant::now();
        for index in 0..9 {
            scene.ask(&format!("{index}"), Sweep);
        }
        settle().await;
        for customer in 1..6 {
            scene.budget.complained(about(customer), sent_at, SECOND * 30);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        settle().await;
        assert_eq!(scene.waiting(), 0, "nobody holds a place for half a minute");
        assert!(scene.names().iter().all(|name| name.ends_with("lasts 29 s more")), "{:?}", scene.names());
        assert_eq!(scene.speed(), 30);
        assert_eq!(scene.available(), 0);
        tokio::time::sleep(SECOND * 30).await;
        assert_eq!(scene.available(), 6, "half of a fifth of sixty");
        for _ in 0..60 {
            scene.budget.answered();
        }
        assert_eq!(scene.speed(), 36);
        scene.budget.complained(Subject { customer: None, interface: "activity" }, Instant::now(), SECOND);
        assert_eq!(scene.speed(), 18, "a later one is another one");
    });
}

#[test]
fn a_short_pause_is_waited_out() {
    run(async || {
        let scene = Scene::new(500);
        scene.ask("before", Sweep);
        settle().await;
        scene.budget.complained(Subject { customer: None, interface: "activity" }, Instant::now(), SECOND * 3);
        scene.ask("after", Sweep);
        tokio::time::sleep(SECOND * 4).await;
        assert_eq!(scene.names(), ["before", "after"]);
        assert!(scene.granted.borrow()[1].1 >= SECOND * 3);
    });
}

#[test]
fn nobody_waits_after_the_end() {
    run(async || {
        let scene = Scene::spent(1).await;
        scene.ask("waits", Sweep);
        settle().await;
        scene.budget.close();
        settle().await;
        assert_eq!(scene.names().len(), 1);
        assert_eq!(scene.waiting(), 0);
    });
}

#[tokio::test(start_paused = true)]
async fn a_reserved_turn_is_used_once_and_not_after_its_second() {
    let budgets = Budgets::new(allowance(1));
    let tenant = about(1).customer.unwrap();
    let about = About { operation: Operation::UpdatePolicy(tenant), customer: Some(tenant) };
    let errand = Errand::new(Revoke);
    let start = Instant::now();
    budgets.reserve(&errand, about).await.unwrap();
    budgets.turn(&errand, about).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    budgets.turn(&errand, about).await.unwrap();
    assert!(start.elapsed() > MINUTE);
    budgets.reserve(&errand, about).await.unwrap();
    tokio::time::advance(SECOND * 2).await;
    let late = Instant::now();
    budgets.turn(&errand, about).await.unwrap();
    assert!(late.elapsed() > SECOND * 50, "sent so late, it might be one too many");
}

#[test]
fn who_has_had_a_turn_that_ran_out_is_next_in_its_line() {
    run(async || {
        let budgets = Budgets::new(allowance(60));
        let (budget, tenant) = (&budgets.partner_center, about(1).customer.unwrap());
        let about_write = About { operation: Operation::UpdatePolicy(tenant), customer: Some(tenant) };
        let errand = Errand::new(Change);
        budgets.reserve(&errand, about_write).await.unwrap();
        budgets.reserve(&errand, about_write).await.unwrap();
        let left = budget.state().available();
        assert_eq!(left, 11, "a turn that is kept already will do");
        for _ in 0..200 {
            let (budgets, errand) = (budgets.clone(), Errand::new(Change));
            tokio::task::spawn_local(async move { budgets.turn(&errand, about_write).await });
        }
        tokio::time::sleep(SECOND * 2).await;
        assert_eq!(budget.state().available(), 0);
        let late = Instant::now();
        // A wait that is given up leaves the place where it is.
        let given_up = tokio::time::timeout(SECOND / 10, budgets.reserve(&errand, about_write)).await;
        assert!(given_up.is_err(), "a turn of two seconds ago is not used");
        budgets.reserve(&errand, about_write).await.unwrap();
        assert!(late.elapsed() < SECOND * 3, "{:?}", late.elapsed());
        budgets.turn(&errand, about_write).await.unwrap();
        // Used, so the next one is for the end of the line.
        budgets.turn(&errand, about_write).await.unwrap();
        assert!(late.elapsed() > MINUTE * 3, "{:?}", late.elapsed());
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_left_and_who_waits_is_shown() {
    let budgets = Budgets::new(allowance(50));
    let errand = Errand::new(Revoke);
    budgets.partner_center.turn(&errand, about(1)).await.unwrap();
    budgets.partner_center.complained(about(1), Instant::now(), SECOND * 3);
    let waits = budgets.partner_center.turn(&errand, about(1));
    assert!(tokio::time::timeout(SECOND, waits).await.is_err());
    let mut registry = prometheus_client::registry::Registry::with_prefix("csp");
    registry.register_collector(Box::new(budgets.clone()));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        r#"csp_request_budget_limit{service="partner_center"} 50"#,
        r#"csp_request_budget_limit{service="azure"} 6000"#,
        r#"csp_request_budget_available{service="partner_center"} 9"#,
        r#"csp_request_budget_waiting{service="partner_center",urgency="sweep"} 0"#,
        r#"csp_request_budget_wait_seconds_bucket{le="0.01",service="partner_center",urgency="revoke"} 1"#,
        r#"csp_requests_throttled_total{service="partner_center"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// Somebody who asks for a turn: when, how urgently, how long with patience, and how the call is answered.
#[derive(Debug, Clone)]
struct Asker {
    after_ms: u64,
    urgency: Urgency,
    patience_ms: Option<u64>,
    is_refused: bool,
}

fn asker() -> impl Strategy<Value = Asker> {
    (0..200_000_u64, 0..4_usize, prop::option::weighted(0.2, 0..30_000_u64), prop::bool::weighted(0.02)).prop_map(
        |(after_ms, urgency, patience_ms, is_refused)| Asker {
            after_ms,
            urgency: Urgency::ALL[urgency],
            patience_ms,
            is_refused,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_minute_has_more_calls_than_allowed_whoever_asks_when(
        calls in 1..40_u16,
        askers in prop::collection::vec(asker(), 1..300),
    ) {
        let sent = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&sent);
        run(async || {
            let scene = Scene::new(calls);
            for asker in askers.clone() {
                let (scene, log) = (scene.clone(), Rc::clone(&log));
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(Duration::from_millis(asker.after_ms)).await;
                    let errand = Errand::new(asker.urgency);
                    let patience = asker.patience_ms.map_or(Duration::MAX, Duration::from_millis);
                    let turn = scene.budget.turn(&errand, about(1));
                    if let Ok(Ok(_)) = tokio::time::timeout(patience, turn).await {
                        log.borrow_mut().push(scene.start.elapsed());
                        if asker.is_refused {
                            scene.budget.complained(about(1), Instant::now(), SECOND * 2);
                            scene.budget.complained(about(2), Instant::now(), SECOND * 2);
                        } else {
                            scene.budget.answered();
                        }
                    }
                });
            }
            tokio::time::sleep(MINUTE * 600).await;
            assert_eq!(scene.waiting(), 0, "nobody waits for ever");
        });
        let sent = sent.borrow();
        for (index, at) in sent.iter().enumerate() {
            let within = sent[index..].iter().take_while(|later| **later < *at + MINUTE).count();
            prop_assert!(within <= usize::from(calls), "{} calls in a minute, {} allowed", within, calls);
        }
    }
}
