//! The operator killed in the middle of a sign-in, again and again: the refresh token is not lost, or it is said that it is.
//!
//! Each round starts the real program, waits until its token request has reached the simulator, lets a random moment
//! pass that the rotation may take, and ends it by SIGKILL. The API server is real; in one of three rounds the way to it is
//! slow, so that many kills fall between the answer and the write, and in another the answer itself comes in drops.
//! `CSP_TEST_KILLS` says how many kills there are for each kind of refresh token.
//!
//! What can be demanded: an access token is used only once its refresh token is in a Secret. What cannot: between the
//! last byte of Entra's answer and the API server's commit the newest token is only in the process. Kills in that
//! window are counted. Where refresh tokens can be redeemed more than once, they cost nothing; where not, the next
//! process says which command mends it, does not hammer, and goes on by itself once a user has signed in.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use reqwest::Method;
use serde_json::json;
use stage::{NAMESPACE, Operator, Proxy};

use crate::stages::{Exclusive, PATIENCE, eventually_or, forget_lease, run};

/// Kills of each kind of refresh token when nothing else is said: as many as a test may take seconds for.
const KILLS: u32 = 8;

/// How long the simulator takes for an answer, so that kills can come before the token is issued.
const LATENCY: Duration = Duration::from_millis(25);

/// How long the slow way to the API server takes.
const SLOW: Duration = Duration::from_millis(40);

/// How the rounds differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Plain,
    SlowWrite,
    SlowAnswer,
}

/// The user of the simulated partner.
const USER: &str = "operator@contosopartner.onmicrosoft.com";

fn kills() -> u32 {
    std::env::var("CSP_TEST_KILLS").map_or(KILLS, |kills| kills.parse().expect("CSP_TEST_KILLS is a number"))
}

/// What the kills have met.
#[derive(Debug, Default)]
struct Tally {
    /// Before a token was issued.
    before: u32,
    /// Issued, and the answer had not left the simulator as a whole.
    on_the_way: u32,
    /// The answer had left, and the token was in no Secret: it died with the process.
    in_the_window: u32,
    /// The newest token was in a Secret.
    kept: u32,
    /// A user had to sign in again.
    logins: u32,
}

/// One kind of refresh token, and what is known so far.
struct Kills {
    exclusive: Exclusive,
    proxy: Proxy,
    operator: Operator,
    is_single_use: bool,
    tally: Tally,
}

impl Kills {
    fn new(is_single_use: bool) -> Self {
        let exclusive = Exclusive::take();
        let settings = json!({ "singleUseRefreshTokens": is_single_use, "latencyMs": LATENCY.as_millis() });
        run(exclusive.view.simulator.set(settings)).unwrap();
        let proxy = Proxy::start(&exclusive.stage.operator.api_server().unwrap()).unwrap();
        let operator = exclusive.stage.operator.through(&proxy).unwrap();
        let mut kills = Self { exclusive, proxy, operator, is_single_use, tally: Tally::default() };
        kills.sign_in_anew();
        kills
    }

    /// A user signs in, and the token is put into the user's Secret.
    fn sign_in_anew(&mut self) {
        let body = json!({ "user": USER });
        let answer = run(self.exclusive.view.simulator.post("refresh-tokens", body)).unwrap();
        let patch = json!({ "stringData": { "refreshToken": answer["refreshToken"] } });
        let params = PatchParams::default();
        run(self.secrets().patch("csp-operator-credentials", &params, &Patch::Merge(patch))).unwrap();
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.exclusive.view.client.clone(), NAMESPACE)
    }

    /// The refresh token that the operator keeps.
    fn kept(&self) -> Option<String> {
        let secret = run(self.secrets().get_opt("csp-operator-tokens")).unwrap()?;
        String::from_utf8(secret.data?.get("refreshToken")?.0.clone()).ok()
    }

    /// How many refresh tokens were issued, and what became of the newest.
    fn issued(&self) -> (u64, serde_json::Value) {
        let told = run(self.exclusive.view.simulator.get("refresh-tokens")).unwrap();
        (told["issued"].as_u64().unwrap(), told["last"].clone())
    }

    /// Token requests that have reached the simulator.
    fn arrived(&self) -> u64 {
        let counts = run(self.exclusive.view.simulator.get("requests/counts")).unwrap();
        counts["token"]["total"].as_u64().unwrap_or(0)
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        eventually_or(what, || is_so().then_some(()), || format!("{:?}\n{}", self.tally, self.operator.log()));
    }

    /// The same without a pause between two looks: milliseconds matter.
    fn wait_closely(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "still waiting until {what}: {:?}\n{}", self.tally, self.operator.log());
        }
    }

    /// The next answer of the token endpoint comes in drops, if that is the pace.
    fn drop_answers(&self, pace: Pace) {
        run(self.exclusive.view.simulator.call(Method::DELETE, "faults", None)).unwrap();
        if pace == Pace::SlowAnswer {
            let answer = json!({ "kind": "drip", "bytes": 400, "everyMs": 5 });
            run(self.exclusive.view.simulator.post("faults", json!({ "operation": "token", "answer": answer })))
                .unwrap();
        }
    }

    fn slow_writes(&self, pace: Pace) {
        self.proxy.delay(if pace == Pace::SlowWrite { SLOW } else { Duration::ZERO });
    }

    fn start(&mut self) {
        run(forget_lease(&self.exclusive.view.client));
        self.operator.start(&[]).unwrap();
    }

    /// Starts it and lets it sign in; gives how long that took from the arrival of its request until the token was kept.
    fn rotation(&mut self, pace: Pace) -> Duration {
        let (arrived, (issued, _)) = (self.arrived(), self.issued());
        self.drop_answers(pace);
        self.start();
        self.wait_closely("it asks for a token", || self.arrived() > arrived);
        self.slow_writes(pace);
        let begun = Instant::now();
        self.wait_closely("it has signed in", || {
            let (now, last) = self.issued();
            now > issued && self.kept().as_deref() == last["refreshToken"].as_str()
        });
        let taken = begun.elapsed();
        self.end();
        taken
    }

    fn end(&mut self) {
        self.operator.kill().unwrap();
        self.wait("nothing is on its way to the API server", || self.proxy.is_idle());
        self.proxy.delay(Duration::ZERO);
        // Nor to the simulator: a request that waits there is dropped with its connection, or is answered by now.
        std::thread::sleep(LATENCY + Duration::from_millis(5));
    }

    /// It begins with a token that was spent: it says so, and goes on once a user has signed in.
    fn login(&mut self, said: usize, arrived: u64) {
        self.wait("it says which command mends it", || {
            self.operator.log().get(said..).is_some_and(|log| log.contains("run: kubectl csp login"))
        });
        assert_eq!(self.arrived(), arrived + 1, "a refused sign-in is not tried again");
        self.tally.logins += 1;
        self.sign_in_anew();
        self.wait_closely("it signs in with the token of the login", || self.arrived() > arrived + 1);
    }

    /// One kill. `is_lost`: the token that the process begins with has been redeemed by one that died, and serves once.
    fn round(&mut self, is_lost: bool, pace: Pace, span: Duration) -> bool {
        let (arrived, said) = (self.arrived(), self.operator.log().len());
        let (issued, _) = self.issued();
        self.drop_answers(pace);
        self.start();
        self.wait_closely("it asks for a token", || self.arrived() > arrived);
        if is_lost {
            self.login(said, arrived);
        }
        self.slow_writes(pace);
        std::thread::sleep(span.mul_f64(fastrand::f64()));
        self.end();

        let (now, last) = self.issued();
        let newest = last["refreshToken"].as_str().unwrap_or_default().to_owned();
        let is_kept = self.kept().as_deref() == Some(&newest);
        let has_begun = now > issued || is_kept;
        let has_left = last["sent"].as_bool().unwrap();
        let has_arrived = last["accessTokenUsed"].as_bool().unwrap();
        assert!(
            is_kept || !has_begun || !has_arrived,
            "an access token was used whose refresh token is in no Secret: {:?}",
            self.tally
        );
        let outcome = match (has_begun, is_kept, has_left) {
            (false, ..) => &mut self.tally.before,
            (true, true, _) => &mut self.tally.kept,
            (true, false, false) => &mut self.tally.on_the_way,
            (true, false, true) => &mut self.tally.in_the_window,
        };
        *outcome += 1;
        // Whatever was issued last came in exchange for the token that is kept, if it is not that one.
        self.is_single_use && has_begun && !is_kept
    }

    #[expect(clippy::print_stdout, reason = "what was met is the result, and libtest shows it on demand")]
    fn run(mut self) -> Tally {
        let spans = [Pace::Plain, Pace::SlowWrite, Pace::SlowAnswer].map(|pace| {
            let taken = (0..2).map(|_| self.rotation(pace)).min().unwrap_or_default();
            (pace, taken.mul_f64(1.3))
        });
        let (kills, mut is_lost) = (kills(), false);
        for round in 0..kills {
            let (pace, span) = spans[round as usize % spans.len()];
            is_lost = self.round(is_lost, pace, span);
        }
        // And after all of them it signs in, or says what it needs.
        if is_lost {
            let (arrived, said) = (self.arrived(), self.operator.log().len());
            self.start();
            self.login(said, arrived);
        } else {
            self.rotation(Pace::Plain);
        }
        self.end();
        let tally = std::mem::take(&mut self.tally);
        println!(
            "{kills} kills, refresh tokens that serve once: {}: {tally:?}, rotations took {spans:?}",
            self.is_single_use
        );
        tally
    }
}

impl Drop for Kills {
    fn drop(&mut self) {
        // The stage goes to the next test, which expects tokens that serve more than once.
        let settings = json!({ "singleUseRefreshTokens": false, "latencyMs": 0 });
        let _ = run(self.exclusive.view.simulator.set(settings));
    }
}

#[test]
fn killed_during_rotation_the_operator_always_signs_in_again_where_refresh_tokens_serve_more_than_once() {
    assert_eq!(Kills::new(false).run().logins, 0);
}

#[test]
fn killed_during_rotation_the_operator_keeps_the_newest_token_or_asks_for_a_login_where_refresh_tokens_serve_once() {
    let tally = Kills::new(true).run();
    assert_eq!(tally.logins, tally.on_the_way + tally.in_the_window, "a login for each that was lost: {tally:?}");
}
