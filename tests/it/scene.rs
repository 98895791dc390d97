//! One test's part of a stage: a namespace, and customers that nobody else uses.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use local_cluster::audit::{self, Counts};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stage::OPERATOR_USER;

use crate::stages::{MADE_HERE, NO_SCENES_CUSTOMER, View, eventually_or, leave_out, run};

/// Name of the permission in a scene that has one.
pub(crate) const PERMISSION: &str = "permission";
/// The person who turns switches in the portal.
pub(crate) const PORTAL_USER: &str = "ada@contosopartner.onmicrosoft.com";
/// What Partner Center calls the switch for reservations.
pub(crate) const RESERVATIONS: &str = "AzureReservedInstances";
/// What Partner Center calls the switch for savings plans.
pub(crate) const SAVINGS_PLANS: &str = "AzureSavingsPlan";

/// The first customer that scenes of this process have: `make e2e` runs several, one after the other, at one simulator.
const FIRST_CUSTOMER: &str = "CSP_E2E_FIRST_CUSTOMER";

/// How many customers the scenes of each simulator have had, by its address.
static TAKEN: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

fn next_customer(view: &View) -> u32 {
    let first: Option<u32> = std::env::var(FIRST_CUSTOMER).ok().and_then(|first| first.parse().ok());
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let count = taken.entry(view.simulator.url().to_owned()).or_default();
    let customer = first.unwrap_or_default() + *count;
    *count += 1;
    assert!(
        first.is_some() || customer < NO_SCENES_CUSTOMER,
        "there are more scenes than customers (tests/it/stages.rs)"
    );
    customer
}

/// A namespace, and a customer.
pub(crate) struct Scene {
    pub(crate) view: View,
    pub(crate) namespace: String,
    /// Number of the customer among the generated ones.
    customer: u32,
    /// Where the audit log ended when the scene began.
    audit_start: u64,
}

/// A kind whose objects tests look at.
pub(crate) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + serde::Serialize
{
    fn conditions(&self) -> &[Condition];
}

impl Kind for Customer {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map_or(&[], |status| &status.conditions)
    }
}

impl Kind for AzureSubscription {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map_or(&[], |status| &status.conditions)
    }
}

impl Kind for CustomerPurchasePermission {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map_or(&[], |status| &status.conditions)
    }
}

/// Status and reason of a condition, such as `False CustomerNotFound`; empty when there is none.
pub(crate) fn verdict<K: Kind>(object: &K, type_: &str) -> String {
    condition(object, type_).map(|found| format!("{} {}", found.status, found.reason)).unwrap_or_default()
}

/// Message of a condition; empty when there is none.
pub(crate) fn message<K: Kind>(object: &K, type_: &str) -> String {
    condition(object, type_).map(|found| found.message.clone()).unwrap_or_default()
}

fn condition<'a, K: Kind>(object: &'a K, type_: &str) -> Option<&'a Condition> {
    object.conditions().iter().find(|condition| condition.type_ == type_)
}

/// Whether the status tells of the newest spec, and that every wish holds.
pub(crate) fn is_ready<K: Kind>(object: &K) -> bool {
    condition(object, "Ready")
        .is_some_and(|ready| ready.status == "True" && ready.observed_generation == object.meta().generation)
}

impl Scene {
    /// A fresh namespace and a customer that no other scene has, with everything in order but no policy.
    pub(crate) fn new(view: &View) -> Self {
        let customer = next_customer(view);
        let namespace = format!("scene-{customer}");
        let audit_start = audit_end(view);
        let body: Namespace = serde_json::from_value(json!({ "metadata": {
            "name": namespace, "annotations": { "csp-operator.dev/allowed-customers": "*" }, "labels": { MADE_HERE: "true" },
        } }))
        .unwrap();
        run(Api::all(view.client.clone()).create(&PostParams::default(), &body)).unwrap();
        Self { view: view.clone(), namespace, customer, audit_start }
    }

    /// The same customer in another namespace.
    pub(crate) fn elsewhere(&self) -> Self {
        let mut other = Self::new(&self.view);
        other.customer = self.customer;
        other
    }

    pub(crate) fn tenant(&self) -> String {
        format!("c0000000-0000-4000-8000-{:012x}", self.customer)
    }

    pub(crate) fn plan_id(&self) -> String {
        format!("b0000000-0000-4000-8000-{:012x}", self.customer)
    }

    pub(crate) fn subscription_id(&self) -> String {
        format!("a0000000-0000-4000-8000-{:012x}", self.customer)
    }

    pub(crate) fn owner_id(&self) -> String {
        format!("d0000000-0000-4000-8000-{:012x}", self.customer)
    }

    /// Manifest of a Customer `contoso`.
    pub(crate) fn customer(&self) -> String {
        let tenant = self.tenant();
        format!("---\nkind: Customer\nmetadata: {{name: contoso}}\nspec: {{tenantId: {tenant}}}\n")
    }

    /// Manifest of its `AzureSubscription` `azure`.
    pub(crate) fn subscription(&self) -> String {
        let (id, owner) = (self.subscription_id(), self.owner_id());
        format!(
            "---\nkind: AzureSubscription\nmetadata: {{name: azure}}\n\
             spec: {{customerRef: {{name: contoso}}, subscriptionId: {id}, owners: [{{objectId: {owner}}}]}}\n"
        )
    }

    /// Applies the Customer, its subscription, and a permission with this in its spec beside the references.
    pub(crate) fn declare(&self, spec: &str) {
        self.apply(&(self.customer() + &self.subscription() + &permission(PERMISSION, spec)));
    }

    /// The same, and waits until it is Ready.
    pub(crate) fn converge(&self, spec: &str) -> CustomerPurchasePermission {
        self.declare(spec);
        self.until("the permission is Ready", is_ready)
    }

    /// Applies manifests of the three kinds.
    pub(crate) fn apply(&self, manifests: &str) {
        self.try_apply(manifests).unwrap();
    }

    /// The same; gives the API server's refusal.
    pub(crate) fn try_apply(&self, manifests: &str) -> Result<(), String> {
        for document in serde_yaml::Deserializer::from_str(manifests) {
            let mut object = Value::deserialize(document).unwrap();
            if object.is_null() {
                continue;
            }
            object["apiVersion"] = "csp-operator.dev/v1alpha1".into();
            let resource = match object["kind"].as_str().unwrap() {
                "Customer" => ApiResource::erase::<Customer>(&()),
                "AzureSubscription" => ApiResource::erase::<AzureSubscription>(&()),
                "CustomerPurchasePermission" => ApiResource::erase::<CustomerPurchasePermission>(&()),
                other => panic!("{other} is not applied by tests"),
            };
            let api: Api<DynamicObject> = Api::namespaced_with(self.view.client.clone(), &self.namespace, &resource);
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            let params = PatchParams::apply("pipeline").force();
            run(api.patch(&name, &params, &Patch::Apply(object))).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Merges this into an object, as `kubectl patch` and `kubectl annotate` do.
    pub(crate) fn patch<K: Kind>(&self, name: &str, patch: &Value) {
        run(self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch))).unwrap();
    }

    /// Merges this into the permission's spec.
    pub(crate) fn change(&self, spec: &Value) {
        self.patch::<CustomerPurchasePermission>(PERMISSION, &json!({ "spec": spec }));
    }

    /// Asks for an object to be read anew.
    pub(crate) fn ask_anew<K: Kind>(&self, name: &str) {
        let now = jiff::Timestamp::now().to_string();
        self.patch::<K>(name, &json!({ "metadata": { "annotations": { "csp-operator.dev/reconcile": now } } }));
    }

    /// Deletes an object, as `kubectl delete --wait=false` does.
    pub(crate) fn delete<K: Kind>(&self, name: &str) {
        run(self.api::<K>().delete(name, &DeleteParams::default())).unwrap();
    }

    pub(crate) fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.view.client.clone(), &self.namespace)
    }

    pub(crate) fn get<K: Kind>(&self, name: &str) -> Option<K> {
        run(self.api().get_opt(name)).unwrap()
    }

    pub(crate) fn permission(&self) -> CustomerPurchasePermission {
        self.get(PERMISSION).unwrap()
    }

    /// Waits until the permission is so.
    pub(crate) fn until(
        &self,
        what: &str,
        is_so: impl Fn(&CustomerPurchasePermission) -> bool,
    ) -> CustomerPurchasePermission {
        self.until_named(PERMISSION, what, is_so)
    }

    /// Waits until the object of this name is so.
    pub(crate) fn until_named<K: Kind>(&self, name: &str, what: &str, is_so: impl Fn(&K) -> bool) -> K {
        let look = || self.get::<K>(name).filter(|object| is_so(object));
        eventually_or(what, look, || self.explain::<K>(name))
    }

    /// Waits until a condition of the permission is so.
    pub(crate) fn until_verdict(&self, type_: &str, expected: &str) -> CustomerPurchasePermission {
        self.until(&format!("{type_} is {expected}"), |permission| verdict(permission, type_) == expected)
    }

    /// Waits until the object is gone.
    pub(crate) fn until_gone<K: Kind>(&self, name: &str) {
        let look = || self.get::<K>(name).is_none().then_some(());
        eventually_or(&format!("{name} is gone"), look, || self.explain::<K>(name));
    }

    /// Asserts for a while that the permission stays so.
    pub(crate) fn stays(&self, what: &str, seconds: f32, is_so: impl Fn(&CustomerPurchasePermission) -> bool) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs_f32(seconds);
        while std::time::Instant::now() < end {
            let permission = self.permission();
            assert!(is_so(&permission), "no longer {what}\n{}", self.explain::<CustomerPurchasePermission>(PERMISSION));
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    /// What a person would look at first.
    pub(crate) fn explain<K: Kind>(&self, name: &str) -> String {
        let object = self.get::<K>(name).map(|mut object| {
            object.meta_mut().managed_fields = None;
            serde_yaml::to_string(&object).unwrap()
        });
        let log = std::fs::read_to_string(&self.view.operator_log).unwrap_or_default();
        let log: Vec<_> = log.lines().rev().filter(|line| line.contains(&self.namespace)).take(30).collect();
        let log: Vec<_> = log.into_iter().rev().collect();
        format!(
            "{}\nwrites: {:?}\n{}",
            object.unwrap_or_else(|| format!("{name}: none")),
            self.attempts(),
            log.join("\n")
        )
    }

    /// Events about the object of this name, oldest first.
    pub(crate) fn events(&self, name: &str) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.view.client.clone(), &self.namespace);
        let mut events: Vec<_> = run(api.list(&ListParams::default())).unwrap().items;
        events.retain(|event| event.regarding.as_ref().and_then(|about| about.name.as_deref()) == Some(name));
        events.sort_by_key(|event| event.event_time.clone().map(|time| time.0));
        events
    }

    /// Their reasons.
    pub(crate) fn event_reasons(&self, name: &str) -> Vec<String> {
        self.events(name).into_iter().filter_map(|event| event.reason).collect()
    }

    /// All requests that Partner Center and Azure have had about the customer, oldest first.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let log = run(self.view.simulator.get(&format!("requests?customer={}", self.tenant()))).unwrap();
        log["requests"].as_array().unwrap().clone()
    }

    /// The writes among them, and whether each changed anything: such as `create`, or `create: no effect`.
    pub(crate) fn attempts(&self) -> Vec<String> {
        let word = |request: &Value| {
            let operation = request["operation"].as_str()?.strip_suffix("_self_serve_policy")?;
            let is_write = ["create", "update", "delete"].contains(&operation);
            let is_effective = request["effective"].as_bool().unwrap_or_default();
            is_write.then(|| if is_effective { operation.to_owned() } else { format!("{operation}: no effect") })
        };
        self.requests().iter().filter_map(word).collect()
    }

    /// The writes that changed anything.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.attempts().into_iter().filter(|attempt| !attempt.ends_with("no effect")).collect()
    }

    /// What the customer may buy.
    pub(crate) fn permitted(&self) -> Vec<String> {
        run(self.view.simulator.permissions(&self.tenant())).unwrap()
    }

    /// Somebody turns a switch in the portal.
    pub(crate) fn portal(&self, resource: &str, allow: bool) {
        run(self.view.simulator.portal(&self.tenant(), resource, allow, PORTAL_USER)).unwrap();
    }

    /// Has the next `times` requests of this operation about the customer answered like this.
    pub(crate) fn fault(&self, operation: &str, times: u32, answer: &Value) {
        let fault = json!({ "operation": operation, "customer": self.tenant(), "times": times, "answer": answer });
        run(self.view.simulator.post("faults", fault)).unwrap();
    }

    /// Forgets what the API server has been asked so far: one that has just started refuses what it does not know yet.
    pub(crate) fn audit_from_now(&mut self) {
        self.audit_start = audit_end(&self.view);
    }

    /// The operator's requests to the API server since the scene began.
    pub(crate) fn audited(&self) -> Counts {
        let Some(log) = &self.view.audit_log else { leave_out("counts requests in the API server's audit log") };
        audit::read(log, self.audit_start).unwrap().counts.of(OPERATOR_USER)
    }

    /// Whether anybody counts those.
    pub(crate) fn is_audited(&self) -> bool {
        self.view.audit_log.is_some()
    }

    /// Its writes in the namespace of the scene.
    pub(crate) fn kubernetes_writes(&self) -> Counts {
        self.audited().writes().only(|request| request.namespace == self.namespace)
    }
}

impl Drop for Scene {
    /// Whatever a scene was about: the operator never tried what its role does not allow.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        crate::secrets::assert_none(&self.view, &self.namespace);
        if self.view.audit_log.is_none() {
            let log = std::fs::read_to_string(&self.view.operator_log).unwrap();
            let refused = log.lines().find(|line| line.contains("is forbidden") && !line.contains("being terminated"));
            assert_eq!(refused, None, "the operator was refused");
            return;
        }
        // In a namespace that is being deleted nobody may create events.
        let is_terminating = run(Api::<Namespace>::all(self.view.client.clone()).get_opt(&self.namespace))
            .ok()
            .flatten()
            .is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some());
        let forbidden = self.audited().forbidden().only(|request| {
            request.namespace == self.namespace && !(is_terminating && request.resource == "events.events.k8s.io")
                || request.namespace == stage::NAMESPACE
                || request.namespace.is_empty()
        });
        assert_eq!(forbidden.total(), 0, "the operator was refused:\n{forbidden}");
    }
}

fn audit_end(view: &View) -> u64 {
    view.audit_log.as_ref().map_or(0, |log| audit::read(log, 0).unwrap().end)
}

/// Manifest of a permission for Customer `contoso` and its subscription, with this in its spec beside the references.
pub(crate) fn permission(name: &str, spec: &str) -> String {
    format!(
        "---\nkind: CustomerPurchasePermission\nmetadata: {{name: {name}}}\n\
         spec: {{customerRef: {{name: contoso}}, azureSubscriptionRefs: [{{name: azure}}], {spec}}}\n"
    )
}

/// Permits reservations.
pub(crate) const ALLOW_RESERVATIONS: &str = "azureReservations: Allow, acceptBillingResponsibility: true";
/// Permits both.
pub(crate) const ALLOW_BOTH: &str =
    "azureReservations: Allow, azureSavingsPlans: Allow, acceptBillingResponsibility: true";
