//! The customer's Azure plan: seen, and bought once.

use csp_operator::api::Customer;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use reqwest::Method;
use serde_json::{Value, json};
use stage::NAMESPACE;

use crate::scene::{Scene, is_ready, message, verdict};
use crate::stages::{Exclusive, View, eventually, run, shared};

const ALLOWED: &[&str] = &["--allow-plan-purchase"];
const AZURE_PLAN: &str = "DZH318Z0BPS6:0001:DZH318Z0BML6";
const PURCHASES: &str = "csp-operator-state-plans";

/// A customer that has nothing of Azure yet.
pub(crate) fn fresh(view: &View) -> Scene {
    let scene = Scene::new(view);
    run(view.simulator.call(Method::DELETE, &format!("customers/{}", scene.tenant()), None)).unwrap();
    let body = json!({ "tenantId": scene.tenant(), "name": "Fresh" });
    run(view.simulator.post("customers", body)).unwrap();
    scene
}

pub(crate) fn declare(scene: &Scene, spec: &str) {
    let tenant = scene.tenant();
    scene.apply(&format!("---\nkind: Customer\nmetadata: {{name: contoso}}\nspec: {{tenantId: {tenant}, {spec}}}\n"));
}

pub(crate) fn until(scene: &Scene, expected: &str) -> Customer {
    scene.until_named("contoso", &format!("AzurePlanVerified is {expected}"), |found: &Customer| {
        verdict(found, "AzurePlanVerified") == expected
            && found.status.as_ref().is_some_and(|status| Some(status.observed_generation) == found.metadata.generation)
    })
}

/// Everything that was sent to buy something, and whether it had an effect.
pub(crate) fn attempts(scene: &Scene) -> Vec<String> {
    let word = |request: &Value| {
        let operation =
            request["operation"].as_str().filter(|name| ["create_cart", "check_out_cart"].contains(name))?;
        let is_effective = request["effective"].as_bool().unwrap_or_default();
        Some(if is_effective { operation.to_owned() } else { format!("{operation}: no effect") })
    };
    scene.requests().iter().filter_map(word).collect()
}

/// What was ordered for the customer, whether it shows already or not.
fn orders(scene: &Scene) -> Value {
    run(scene.view.simulator.get(&format!("state/{}", scene.tenant()))).unwrap()["orders"].clone()
}

fn long_ago() -> String {
    let at = Timestamp::now() - SignedDuration::from_hours(2);
    Timestamp::from_second(at.as_second()).unwrap().to_string()
}

/// That there is no plan has been known for so long that no order from before can be missing.
pub(crate) fn has_been_so_for_long(scene: &Scene) {
    until(scene, "False ConfirmingNoPlan");
    none_since(scene, Some(&long_ago()));
}

fn none_since(scene: &Scene, at: Option<&str>) {
    let status = json!({ "status": { "azurePlan": { "noneSince": at } } });
    run(scene.api::<Customer>().patch_status("contoso", &PatchParams::default(), &Patch::Merge(status))).unwrap();
}

/// Nothing is bought, not even where time alone would be no reason to wait any more.
fn assert_never_bought(scene: &Scene) {
    none_since(scene, Some(&long_ago()));
    scene.ask_anew::<Customer>("contoso");
    scene.until_named("contoso", "it has looked again", |found: &Customer| {
        let annotations = found.metadata.annotations.clone().unwrap_or_default();
        let request = annotations.get("csp-operator.dev/reconcile").cloned();
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at == request)
    });
    assert_eq!((attempts(scene), orders(scene)), (vec![], json!([])));
    none_since(scene, None);
}

fn purchases(view: &View) -> Api<ConfigMap> {
    Api::namespaced(view.client.clone(), NAMESPACE)
}

/// What is remembered of the purchase.
fn record(scene: &Scene) -> Option<Value> {
    let map = run(purchases(&scene.view).get_opt(PURCHASES)).unwrap()?;
    serde_json::from_str(map.data?.get(&scene.tenant())?).ok()
}

/// The checkout was sent so long ago that its order would show.
fn was_sent_long_ago(scene: &Scene) {
    let mut record = record(scene).unwrap();
    record["at"] = long_ago().into();
    let data = json!({ "data": { scene.tenant(): record.to_string() } });
    run(purchases(&scene.view).patch(PURCHASES, &PatchParams::default(), &Patch::Merge(data))).unwrap();
    scene.ask_anew::<Customer>("contoso");
}

fn count(scene: &Scene, reason: &str) -> usize {
    scene.event_reasons("contoso").iter().filter(|told| *told == reason).count()
}

#[test]
fn whether_there_is_a_plan_is_shown_and_holds_nothing_up() {
    let (with, alone, without) = (Scene::new(shared().1), Scene::new(shared().1), fresh(shared().1));
    with.apply(&(with.customer() + &with.subscription()));
    declare(&alone, "azurePlan: Verify");
    declare(&without, "azurePlan: Verify");
    assert!(is_ready(&until(&with, "True AzurePlan")));
    assert!(is_ready(&until(&alone, "True AzurePlan")));
    let found = until(&without, "False NoAzureSubscription");
    assert!(is_ready(&found), "{}", message(&found, "Ready"));
    assert_eq!(attempts(&without), Vec::<String>::new());
}

#[test]
fn no_plan_is_bought_by_an_operator_that_may_not() {
    let scene = fresh(shared().1);
    declare(&scene, "azurePlan: Purchase");
    let found = until(&scene, "False PlanPurchaseNotAllowed");
    assert_eq!(verdict(&found, "Stalled"), "True PlanPurchaseNotAllowed");
    assert!(message(&found, "Ready").contains("--allow-plan-purchase"));
    assert_never_bought(&scene);
}

#[test]
fn a_plan_is_bought_once_and_remembered_whatever_is_deleted() {
    let mut exclusive = Exclusive::take();
    exclusive.start(ALLOWED);
    let (scene, had_one) = (fresh(&exclusive.view), Scene::new(&exclusive.view));
    declare(&had_one, "azurePlan: Purchase");
    assert!(is_ready(&until(&had_one, "True AzurePlan")));
    assert_eq!((attempts(&had_one), record(&had_one)), (vec![], None));

    run(scene.view.simulator.set(json!({ "orderDelayMs": 900_000 }))).unwrap();
    declare(&scene, "azurePlan: Purchase");
    has_been_so_for_long(&scene);
    let found = until(&scene, "False PlanOrdered");
    assert_eq!(verdict(&found, "Ready"), "False PlanOrdered");
    eventually("it is told", || (count(&scene, "AzurePlanPurchased") == 1).then_some(()));
    let bought = || {
        assert_eq!(attempts(&scene), ["create_cart", "check_out_cart"]);
        assert_eq!(orders(&scene), json!([AZURE_PLAN]));
    };
    bought();
    let served = exclusive.served("metrics");
    assert!(served.contains("azure_plans_purchased_total 1"), "{served}");
    // Object, process and status are new; the order does not show yet.
    scene.delete::<Customer>("contoso");
    scene.until_gone::<Customer>("contoso");
    exclusive.kill_and_start(ALLOWED);
    declare(&scene, "azurePlan: Purchase");
    until(&scene, "False PlanOrdered");
    bought();
    run(scene.view.simulator.call(Method::PUT, "clock", Some(json!({ "advance": "16m" })))).unwrap();
    scene.ask_anew::<Customer>("contoso");
    assert!(is_ready(&until(&scene, "True AzurePlan")));
    bought();
    // And the plan is gone for good: no second one.
    run(scene.view.simulator.call(Method::DELETE, &format!("customers/{}", scene.tenant()), None)).unwrap();
    let body = json!({ "tenantId": scene.tenant(), "name": "Fresh" });
    run(scene.view.simulator.post("customers", body)).unwrap();
    was_sent_long_ago(&scene);
    until(&scene, "False PlanOrdered");
    assert_eq!(orders(&scene), json!([]));
}

#[test]
fn of_customers_that_mean_one_tenant_the_oldest_has_the_plan_bought_or_nobody() {
    let mut exclusive = Exclusive::take();
    exclusive.start(ALLOWED);
    let scene = fresh(&exclusive.view);
    declare(&scene, "azurePlan: Purchase");
    // Ages are told apart by the second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let elsewhere = scene.elsewhere();
    declare(&elsewhere, "azurePlan: Purchase, indirectReseller: '4847383'");
    for (scene, other) in [(&scene, &elsewhere), (&elsewhere, &scene)] {
        let found = until(scene, "False Conflict");
        assert!(message(&found, "Ready").contains(&other.namespace), "the other is named");
    }
    assert_eq!((attempts(&scene), orders(&scene)), (vec![], json!([])));
    // They agree: the older one buys, and the other looks on.
    declare(&elsewhere, "azurePlan: Purchase");
    has_been_so_for_long(&scene);
    for scene in [&scene, &elsewhere] {
        assert!(is_ready(&until(scene, "True AzurePlan")));
    }
    assert_eq!(attempts(&scene), ["create_cart", "check_out_cart"]);
    assert_eq!(orders(&scene), json!([AZURE_PLAN]));
    // It is told of on both, once each.
    for scene in [&scene, &elsewhere] {
        eventually("it is told", || (count(scene, "AzurePlanPurchased") == 1).then_some(()));
    }
}

#[test]
fn killed_around_the_checkout_there_is_one_order_in_the_end() {
    let mut exclusive = Exclusive::take();
    // The answer never comes: to the cart, to the checkout that is done, to the checkout that is not.
    let holds = [("create_cart", true), ("check_out_cart", true), ("check_out_cart", false)];
    let scenes = holds.map(|(operation, applied)| {
        let scene = fresh(&exclusive.view);
        scene.fault(operation, 1000, &json!({ "kind": "delay", "delayMs": 20_000, "applied": applied }));
        (scene, operation)
    });
    exclusive.start(ALLOWED);
    for (scene, operation) in &scenes {
        declare(scene, "azurePlan: Purchase");
        has_been_so_for_long(scene);
        eventually("it is on its way", || {
            let sent = scene.requests().iter().any(|request| request["operation"] == *operation);
            sent.then_some(())
        });
    }
    exclusive.stage.operator.kill().unwrap();
    run(exclusive.view.simulator.call(Method::DELETE, "faults", None)).unwrap();
    let [(cart, _), (done, _), (lost, _)] = &scenes;
    assert_eq!(record(cart), None, "a cart that is not remembered is not checked out");
    for scene in [done, lost] {
        assert_eq!(record(scene).unwrap()["stage"], "sent", "remembered before it was sent");
    }
    assert_eq!((orders(cart), orders(done), orders(lost)), (json!([]), json!([AZURE_PLAN]), json!([])));

    exclusive.kill_and_start(ALLOWED);
    for scene in [cart, done] {
        assert!(is_ready(&until(scene, "True AzurePlan")));
    }
    until(lost, "False ConfirmingNoPlan");
    assert_eq!(orders(lost), json!([]), "not before an order would show");
    was_sent_long_ago(lost);
    assert!(is_ready(&until(lost, "True AzurePlan")));
    for (scene, _) in &scenes {
        assert_eq!(orders(scene), json!([AZURE_PLAN]));
        eventually("it is told", || (count(scene, "AzurePlanPurchased") == 1).then_some(()));
    }
    // The cart that nobody remembered was left, and the one that was remembered was taken.
    // What was asked for once more before the kill, and never answered either, is no cart.
    let carts: Vec<_> = attempts(cart).into_iter().filter(|attempt| attempt != "create_cart: no effect").collect();
    assert_eq!(carts, ["create_cart", "create_cart", "check_out_cart"]);
    assert_eq!(attempts(done), ["create_cart", "check_out_cart"]);
    assert_eq!(attempts(lost), ["create_cart", "check_out_cart: no effect", "check_out_cart"]);
}

#[test]
fn killed_at_random_moments_each_customer_has_one_order() {
    let mut exclusive = Exclusive::take();
    let scenes: Vec<_> = (0..4).map(|_| fresh(&exclusive.view)).collect();
    exclusive.start(ALLOWED);
    for scene in &scenes {
        declare(scene, "azurePlan: Purchase");
        until(scene, "False ConfirmingNoPlan");
    }
    exclusive.stage.operator.kill().unwrap();
    for scene in &scenes {
        has_been_so_for_long(scene);
    }
    run(exclusive.view.simulator.set(json!({ "latencyMs": 40 }))).unwrap();
    for round in 0..5_u64 {
        exclusive.kill_and_start(ALLOWED);
        std::thread::sleep(std::time::Duration::from_millis(60 + 60 * round + fastrand::u64(0..60)));
    }
    run(exclusive.view.simulator.set(json!({ "latencyMs": 0 }))).unwrap();
    exclusive.kill_and_start(ALLOWED);
    for scene in &scenes {
        let is_bought = eventually("it is bought, or it is left open whether it is", || {
            let found = scene.get::<Customer>("contoso")?;
            let quiet = (Timestamp::now() - SignedDuration::from_secs(5)).to_string();
            let is_open = |record: Value| record["stage"] == "sent" && record["at"].as_str() < Some(quiet.as_str());
            is_ready(&found).then_some(true).or_else(|| record(scene).is_some_and(is_open).then_some(false))
        });
        if !is_bought {
            was_sent_long_ago(scene);
        }
        until(scene, "True AzurePlan");
        assert_eq!(orders(scene), json!([AZURE_PLAN]), "{}", scene.explain::<Customer>("contoso"));
    }
}

#[test]
fn what_stands_in_the_way_of_a_purchase_is_told_and_nothing_is_bought() {
    let mut exclusive = Exclusive::take();
    let [agreement, legacy, suspended, relation] = std::array::from_fn(|_| fresh(&exclusive.view));
    let simulator = exclusive.view.simulator.clone();
    let control = |method, path: String, body| run(simulator.call(method, &path, Some(body))).unwrap();
    control(Method::PUT, format!("customers/{}/agreement", agreement.tenant()), json!({ "accepted": false }));
    control(Method::PUT, format!("customers/{}/relationship", relation.tenant()), json!({ "relationship": "advisor" }));
    for (scene, kind) in [(&legacy, "AzureGlobal"), (&suspended, "AzurePlan")] {
        let held =
            json!({ "id": scene.plan_id(), "kind": kind, "azureSubscriptions": [{ "id": scene.subscription_id() }] });
        control(Method::POST, format!("customers/{}/subscriptions", scene.tenant()), held);
    }
    control(
        Method::POST,
        "subscriptions/status".to_owned(),
        json!({ "id": suspended.plan_id(), "status": "suspended" }),
    );
    // Its namespace may not act for the customer any more.
    let barred = fresh(&exclusive.view);
    declare(&barred, "azurePlan: Purchase");
    let annotations = json!({ "metadata": { "annotations": { "csp-operator.dev/allowed-customers": null } } });
    let namespaces: Api<Namespace> = Api::all(exclusive.view.client.clone());
    run(namespaces.patch(&barred.namespace, &PatchParams::default(), &Patch::Merge(annotations))).unwrap();
    exclusive.start(ALLOWED);
    until(&barred, "False NamespaceNotAllowed");
    for (scene, expected) in [
        (&agreement, "False CustomerAgreementMissing"),
        (&legacy, "False LegacySubscription"),
        (&suspended, "False SubscriptionNotActive"),
        (&relation, "False NotReseller"),
    ] {
        declare(scene, "azurePlan: Purchase");
        until(scene, expected);
        assert_never_bought(scene);
    }
    assert_never_bought(&barred);
    // What comes to be accepted goes on by itself.
    control(Method::PUT, format!("customers/{}/agreement", agreement.tenant()), json!({ "accepted": true }));
    agreement.ask_anew::<Customer>("contoso");
    until(&agreement, "False ConfirmingNoPlan");
    assert_eq!((attempts(&agreement), orders(&agreement)), (vec![], json!([])));
}

#[test]
fn a_purchase_that_cannot_be_remembered_is_told_and_costs_no_cart() {
    let mut exclusive = Exclusive::take();
    let scene = fresh(&exclusive.view);
    let api = purchases(&exclusive.view);
    let remake = |is_immutable: bool| {
        let _ = run(api.delete(PURCHASES, &DeleteParams::default()));
        let map = json!({ "metadata": { "name": PURCHASES }, "immutable": is_immutable });
        run(api.create(&PostParams::default(), &serde_json::from_value(map).unwrap())).unwrap();
    };
    remake(true);
    exclusive.start(ALLOWED);
    declare(&scene, "azurePlan: Purchase");
    has_been_so_for_long(&scene);
    let found = until(&scene, "False PurchaseRecordUnwritable");
    assert_eq!(verdict(&found, "Stalled"), "True PurchaseRecordUnwritable");
    let said = message(&found, "Ready");
    assert!(said.contains(PURCHASES) && said.contains("immutable"), "{said}");
    scene.ask_anew::<Customer>("contoso");
    scene.until_named("contoso", "it is looked at again", |found: &Customer| {
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.is_some())
    });
    assert_eq!((attempts(&scene), orders(&scene)), (vec![], json!([])));
    remake(false);
    scene.ask_anew::<Customer>("contoso");
    assert!(is_ready(&until(&scene, "True AzurePlan")));
    assert_eq!(attempts(&scene), ["create_cart", "check_out_cart"]);
    assert_eq!(orders(&scene), json!([AZURE_PLAN]));
}

#[test]
fn a_refused_checkout_is_told_with_its_reason_and_tried_again_after_an_hour_with_its_cart() {
    let mut exclusive = Exclusive::take();
    let scene = fresh(&exclusive.view);
    let answer =
        json!({ "kind": "status", "status": 400, "code": "800002", "description": "the credit limit is reached" });
    scene.fault("check_out_cart", 1, &answer);
    let refused = vec!["create_cart".to_owned(), "check_out_cart: no effect".to_owned()];
    exclusive.start(ALLOWED);
    // What is seen of its charges waits for the plan, and hides nothing.
    declare(&scene, "azurePlan: Purchase, costManagement: Visible");
    has_been_so_for_long(&scene);
    let found = until(&scene, "False PurchaseRefused");
    assert!(message(&found, "AzurePlanVerified").contains("the credit limit is reached"), "{found:?}");
    assert_eq!(verdict(&found, "Stalled"), "True PurchaseRefused");
    // Neither asking nor another process makes it be tried again within the hour, or forgets why.
    exclusive.kill_and_start(ALLOWED);
    scene.ask_anew::<Customer>("contoso");
    let asked = scene.until_named("contoso", "it is looked at again", |found: &Customer| {
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.is_some())
    });
    for type_ in ["AzurePlanVerified", "CostManagementSynced", "Stalled"] {
        assert_eq!((verdict(&asked, type_), message(&asked, type_)), (verdict(&found, type_), message(&found, type_)));
    }
    assert_eq!((attempts(&scene), orders(&scene)), (refused, json!([])));
    was_sent_long_ago(&scene);
    until(&scene, "True AzurePlan");
    scene.until_named("contoso", "the charges follow", is_ready::<Customer>);
    assert_eq!(attempts(&scene), ["create_cart", "check_out_cart: no effect", "check_out_cart"]);
    assert_eq!(orders(&scene), json!([AZURE_PLAN]));
}

#[test]
fn an_indirect_provider_buys_for_the_reseller_that_is_named() {
    let mut exclusive = Exclusive::take();
    let reseller = json!({ "tenantId": "aaaa1111-2222-4b22-9b22-000000000002", "name": "Litware", "mpnId": "7654321",
                           "location": "US", "state": "Active" });
    let provider = json!({ "type": "IndirectProvider", "relatedPartners": [reseller] });
    run(exclusive.view.simulator.call(Method::PATCH, "partner", Some(provider))).unwrap();
    exclusive.start(ALLOWED);
    let scene = fresh(&exclusive.view);
    declare(&scene, "azurePlan: Purchase");
    let found = until(&scene, "False IndirectResellerMissing");
    assert_eq!(verdict(&found, "Stalled"), "True IndirectResellerMissing");
    assert_eq!(attempts(&scene), Vec::<String>::new());
    declare(&scene, "azurePlan: Purchase, indirectReseller: \"7654321\"");
    has_been_so_for_long(&scene);
    until(&scene, "True AzurePlan");
    assert_eq!((attempts(&scene).len(), orders(&scene)), (2, json!([AZURE_PLAN])));
    assert_eq!(record(&scene).unwrap()["reseller"], "7654321");
    let state = run(scene.view.simulator.get(&format!("state/{}", scene.tenant()))).unwrap();
    assert_eq!(state["resellers"], json!(["7654321"]));
}
