//! Faults in words: those that a person can pick, and those that are on.

use serde_json::Value;
use uuid::Uuid;

use crate::simulator::state::State;

/// An answer that can be picked.
#[derive(Debug)]
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// In the words of the control API.
    pub(crate) answer: &'static str,
}

const fn preset(name: &'static str, title: &'static str, answer: &'static str) -> Preset {
    Preset { name, title, answer }
}

/// One at least of every kind that needs nothing to be said beside.
pub(crate) const ANSWERS: [Preset; 20] = [
    preset("too-many", "429, come again in 5 s", r#"{"kind":"status","status":429,"retryAfter":5}"#),
    preset("unavailable", "503 Service Unavailable", r#"{"kind":"status","status":503}"#),
    preset("error", "500 Internal Server Error", r#"{"kind":"status","status":500}"#),
    preset("error-applied", "500, though it takes effect", r#"{"kind":"status","status":500,"applied":true}"#),
    preset("unauthorized", "401 Unauthorized", r#"{"kind":"status","status":401}"#),
    preset("forbidden", "403 Forbidden", r#"{"kind":"status","status":403}"#),
    preset("not-found", "404 Not Found", r#"{"kind":"status","status":404}"#),
    preset("lost", "No answer, and no effect", r#"{"kind":"disconnect","applied":false}"#),
    preset("lost-applied", "No answer, though it takes effect", r#"{"kind":"disconnect","applied":true}"#),
    preset("slow", "The answer 10 s late, then the effect", r#"{"kind":"delay","delayMs":10000,"applied":false}"#),
    preset(
        "slow-applied",
        "The effect at once, the answer 10 s late",
        r#"{"kind":"delay","delayMs":10000,"applied":true}"#,
    ),
    preset("late", "The effect 10 s late, even if the caller gives up", r#"{"kind":"late","delayMs":10000}"#),
    preset("garbage", "A body that is not JSON", r#"{"kind":"garbage"}"#),
    preset("byte-order-mark", "A byte order mark before the JSON", r#"{"kind":"edit","byteOrderMark":true}"#),
    preset("drip", "A body in slow pieces", r#"{"kind":"drip","bytes":10,"everyMs":500}"#),
    preset("cut", "A body that breaks off", r#"{"kind":"cut","afterBytes":20,"how":"length"}"#),
    preset("cut-chunked", "A body whose last chunk never comes", r#"{"kind":"cut","afterBytes":20,"how":"chunked"}"#),
    preset("reset", "A connection that is reset", r#"{"kind":"cut","afterBytes":20,"how":"reset"}"#),
    preset("next-loop", "The same page of a list for ever", r#"{"kind":"nextLink","form":"loop"}"#),
    preset("next-elsewhere", "The next page on another server", r#"{"kind":"nextLink","form":"elsewhere"}"#),
];

/// The operations that clients of purchase permissions use most; the control API takes all.
pub(crate) const OPERATIONS: [&str; 20] = [
    "token",
    "list_customers",
    "get_customer",
    "list_subscriptions",
    "get_subscription",
    "list_azure_entitlements",
    "list_self_serve_policies",
    "create_self_serve_policy",
    "update_self_serve_policy",
    "delete_self_serve_policy",
    "list_audit_records",
    "list_relationships",
    "list_my_groups",
    "list_role_assignments",
    "create_role_assignment",
    "list_orders",
    "list_entitlements",
    "list_reservations",
    "list_savings_plans",
    "update_billing_policy",
];

/// A fault that is on, in one line.
pub(crate) fn told(state: &State, fault: &Value) -> String {
    let operation = fault["operation"].as_str().unwrap_or("any operation");
    let customer = fault["customer"].as_str().map(|tenant| format!(" about {}", name(state, tenant)));
    let times = match fault["times"].as_u64() {
        Some(1) => "once".to_owned(),
        Some(times) => format!("{times} times"),
        None => "until it is turned off".to_owned(),
    };
    let skip = match fault["skip"].as_u64() {
        None | Some(0) => String::new(),
        Some(skip) => format!(", after {skip} more"),
    };
    format!("{operation}{}: {} ({times}{skip})", customer.unwrap_or_default(), happens(&fault["answer"]))
}

fn name(state: &State, tenant: &str) -> String {
    let known = Uuid::try_parse(tenant).ok().and_then(|tenant| state.customers.get(&tenant));
    known.map_or_else(|| tenant.to_owned(), |customer| customer.about.name.clone())
}

fn happens(answer: &Value) -> String {
    let applied = answer["applied"].as_bool().unwrap_or_default();
    let late = answer["delayMs"].as_u64().unwrap_or_default();
    match answer["kind"].as_str().unwrap_or_default() {
        "status" => format!("{}{}", answer["status"], if applied { ", though it takes effect" } else { "" }),
        "garbage" => "a body that is not JSON".to_owned(),
        "edit" => "an altered answer".to_owned(),
        "nextLink" => format!("another link to the next page ({})", answer["form"].as_str().unwrap_or_default()),
        "drip" => "a body in slow pieces".to_owned(),
        "cut" => format!("a body that breaks off ({})", answer["how"].as_str().unwrap_or_default()),
        "disconnect" if applied => "no answer, though it takes effect".to_owned(),
        "disconnect" => "no answer, and no effect".to_owned(),
        "delay" if applied => format!("the effect at once, the answer {late} ms late"),
        "delay" => format!("the answer {late} ms late, then the effect"),
        "late" => format!("the effect {late} ms late"),
        "then" => "more happens right after it".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::simulator::World;
    use crate::simulator::random::Random;
    use crate::simulator::settings::Settings;

    #[test]
    fn what_is_on_is_told_in_one_line() {
        let state = State::new(World::generated(1), Settings::default(), Random::new(None));
        for (fault, line) in [
            (
                json!({ "answer": { "kind": "garbage" } }),
                "any operation: a body that is not JSON (until it is turned off)",
            ),
            (
                json!({
                    "operation": "get_customer", "customer": "c0000000-0000-4000-8000-000000000000", "skip": 2, "times": 1,
                    "answer": { "kind": "status", "status": 503, "applied": true },
                }),
                "get_customer about Contoso Customer 0: 503, though it takes effect (once, after 2 more)",
            ),
            (
                json!({ "customer": "x", "times": 3, "answer": { "kind": "disconnect", "applied": false } }),
                "any operation about x: no answer, and no effect (3 times)",
            ),
        ] {
            assert_eq!(told(&state, &fault), line);
        }
    }
}
