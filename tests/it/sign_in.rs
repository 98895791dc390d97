//! The sign-in as the two Secrets keep it, on a real API server.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use reqwest::Method;
use serde_json::{Value, json};
use stage::NAMESPACE;

use crate::stages::{Exclusive, eventually, eventually_or, forget_lease, run, until_it_acts};

const USER_SECRET: &str = "csp-operator-credentials";
const TOKENS_SECRET: &str = "csp-operator-tokens";
const USER: &str = "operator@contosopartner.onmicrosoft.com";

fn secrets(exclusive: &Exclusive) -> Api<Secret> {
    Api::namespaced(exclusive.view.client.clone(), NAMESPACE)
}

fn entry(exclusive: &Exclusive, secret: &str, key: &str) -> Option<String> {
    let secret = run(secrets(exclusive).get_opt(secret)).unwrap()?;
    String::from_utf8(secret.data?.get(key)?.0.clone()).ok()
}

fn newest(exclusive: &Exclusive) -> Value {
    run(exclusive.view.simulator.get("refresh-tokens")).unwrap()
}

/// Refresh tokens serve once, and nothing is kept from before; undone when the test ends.
struct SingleUse(Exclusive);

impl SingleUse {
    fn take() -> Self {
        let exclusive = Exclusive::take();
        let _ = run(secrets(&exclusive).delete(TOKENS_SECRET, &DeleteParams::default()));
        run(exclusive.view.simulator.set(json!({ "singleUseRefreshTokens": true }))).unwrap();
        let single_use = Self(exclusive);
        single_use.supply(&single_use.sign_in());
        single_use
    }

    /// A user signs in with a browser.
    fn sign_in(&self) -> String {
        let answer = run(self.0.view.simulator.post("refresh-tokens", json!({ "user": USER }))).unwrap();
        answer["refreshToken"].as_str().unwrap().to_owned()
    }

    /// A person or a GitOps tool puts this token into the user's Secret.
    fn supply(&self, token: &str) {
        let patch = Patch::Merge(json!({ "stringData": { "refreshToken": token } }));
        run(secrets(&self.0).patch(USER_SECRET, &PatchParams::default(), &patch)).unwrap();
    }

    /// Waits until the newest token is one issued after so many, and is kept.
    fn until_signed_in(&self, after: u64) {
        let look = || {
            let told = newest(&self.0);
            let kept = entry(&self.0, TOKENS_SECRET, "refreshToken");
            (told["issued"].as_u64()? > after && kept.as_deref() == told["last"]["refreshToken"].as_str()).then_some(())
        };
        eventually_or("the newest token is kept", look, || {
            std::fs::read_to_string(&self.0.view.operator_log).unwrap_or_default()
        });
    }

    fn issued(&self) -> u64 {
        newest(&self.0)["issued"].as_u64().unwrap()
    }
}

impl Drop for SingleUse {
    fn drop(&mut self) {
        let _ = run(self.0.view.simulator.set(json!({ "singleUseRefreshTokens": false })));
        let _ = run(secrets(&self.0).delete(TOKENS_SECRET, &DeleteParams::default()));
    }
}

#[test]
fn a_replica_that_takes_over_uses_the_token_that_the_other_one_kept() {
    let mut single_use = SingleUse::take();
    let before = single_use.issued();
    single_use.0.start(&[]);
    single_use.until_signed_in(before);
    let mut second = single_use.0.stage.operator.replica("second-sign-in");
    second.start(&[]).unwrap();
    eventually("it waits its turn", || second.log().contains("/readyz").then_some(()));
    let before = single_use.issued();
    single_use.0.stage.operator.kill().unwrap();
    run(forget_lease(&single_use.0.view.client));
    until_it_acts(&second, 0);
    single_use.until_signed_in(before);
    second.kill().unwrap();
}

#[test]
fn a_token_that_gitops_restores_changes_nothing_and_one_that_a_person_supplies_is_used_at_once() {
    let mut single_use = SingleUse::take();
    let restored = entry(&single_use.0, USER_SECRET, "refreshToken").unwrap();
    let before = single_use.issued();
    single_use.0.start(&[]);
    single_use.until_signed_in(before);
    // It was spent long ago: whoever redeemed it would be refused.
    single_use.supply("another");
    single_use.supply(&restored);
    let before = single_use.issued();
    single_use.0.kill_and_start(&[]);
    single_use.until_signed_in(before);

    let before = single_use.issued();
    single_use.supply(&single_use.sign_in());
    single_use.until_signed_in(before);
}

/// A token that was issued so many days ago is kept, and nobody can sign in to renew it.
#[test]
fn the_end_of_a_refresh_token_is_told_beforehand_in_an_event_and_in_readyz() {
    let mut exclusive = Exclusive::take();
    let _ = run(secrets(&exclusive).delete(TOKENS_SECRET, &DeleteParams::default()));
    exclusive.start(&[]);
    eventually("a token is kept", || entry(&exclusive, TOKENS_SECRET, "refreshToken"));
    assert!(entry(&exclusive, TOKENS_SECRET, "expiresAt").is_some());
    exclusive.stage.operator.kill().unwrap();
    let fault = json!({ "operation": "token", "answer": { "kind": "status", "status": 503 } });
    run(exclusive.view.simulator.post("faults", fault)).unwrap();

    let issued_at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(84 * 24);
    let ends = issued_at + jiff::SignedDuration::from_hours(90 * 24);
    let patch = Patch::Merge(json!({ "stringData": { "issuedAt": issued_at.to_string() } }));
    run(secrets(&exclusive).patch(TOKENS_SECRET, &PatchParams::default(), &patch)).unwrap();
    exclusive.kill_and_start(&[]);
    let events: Api<Event> = Api::namespaced(exclusive.view.client.clone(), NAMESPACE);
    // Other tests may have had something else end on the same stage.
    let name = format!("{TOKENS_SECRET}.refresh-token-{}-7d", ends.as_second());
    let event =
        eventually_or("the event is there", || run(events.get_opt(&name)).unwrap(), || exclusive.stage.operator.log());
    assert_eq!(event.reason.as_deref(), Some("SignInEndsSoon"));
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    assert!(event.note.unwrap().ends_with("run: kubectl csp login."));
    assert_eq!(event.regarding.unwrap().name.as_deref(), Some(TOKENS_SECRET));
    run(exclusive.view.simulator.call(Method::DELETE, "faults", None)).unwrap();
    let _ = run(secrets(&exclusive).delete(TOKENS_SECRET, &DeleteParams::default()));
}
