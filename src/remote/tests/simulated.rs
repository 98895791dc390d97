//! The clients against the simulator, which was written from the reference by somebody else: what both get right
//! together, neither has made up.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use reqwest::Method;
use uuid::Uuid;

use super::*;
use crate::model::{
    ActivityOperation, ActivityRecord, Assignee, AssigneeKind, Holding, ObjectId, Relationship, SubscriptionId,
};
use crate::remote::{Cause, Error, ExtraRoots};
use crate::simulator::{
    DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, DEFAULT_USER, Simulator, Tls, World, serve, serve_tls,
};

/// A simulator and the clients that talk to it.
pub(super) struct Simulated {
    pub(super) remote: Remote,
    address: String,
    pub(super) secrets: Arc<Secrets>,
    http: reqwest::Client,
    /// The day, in UTC, on which it was started.
    began: Date,
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

pub(super) fn tenant(index: u32) -> TenantId {
    format!("c0000000-0000-4000-8000-{index:012x}").parse().unwrap()
}

pub(super) fn azure(index: u32) -> SubscriptionId {
    format!("a0000000-0000-4000-8000-{index:012x}").parse().unwrap()
}

pub(super) fn owner(index: u32) -> ObjectId {
    format!("d0000000-0000-4000-8000-{index:012x}").parse().unwrap()
}

pub(super) fn both() -> PermissionSet {
    reservations().with(Switch::SavingsPlans, true)
}

fn clients(address: &str, secrets: &Arc<Secrets>, limits: Limits, extra_roots: ExtraRoots) -> Remote {
    let endpoints = Endpoints::parse(address, address, address, address, PlainHttp::ToLoopback).unwrap();
    let endpoints = endpoints.trusting(extra_roots);
    let source = Arc::clone(secrets) as Arc<dyn CredentialSource>;
    Remote::new(&endpoints, limits, source, Arc::new(Unfenced), Calls::default()).unwrap()
}

impl Simulated {
    pub(super) async fn start(world: World) -> Self {
        Self::start_with(world, Limits { retry_delay_min: Duration::from_millis(1), ..Limits::default() }).await
    }

    pub(super) async fn start_with(world: World, limits: Limits) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, Simulator::new(world)));
        Self::at(address, limits, ExtraRoots::default())
    }

    /// The clients of a simulator with TLS that trust `authority`; `None`: the one that has signed its certificate.
    async fn with_tls(authority: Option<&Tls>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let tls = Tls::generate(&[]).unwrap();
        let trusted = authority.unwrap_or(&tls).authority_pem().to_owned();
        let simulator = Simulator::new(World::generated(2));
        tokio::spawn(async move { serve_tls(listener, simulator, &tls).await });
        Self::at(address, Limits::default(), ExtraRoots::from_pem(trusted.as_bytes()).unwrap())
    }

    fn at(address: String, limits: Limits, extra_roots: ExtraRoots) -> Self {
        let secrets = Arc::new(Secrets {
            credentials: Mutex::new(Credentials {
                partner_tenant: partner(),
                client_id: "11112222-3333-4444-8555-666677778888".to_owned(),
                proof: Proof::Secret(DEFAULT_CLIENT_SECRET.into()),
                refresh_token: DEFAULT_REFRESH_TOKEN.into(),
                generation: "1".to_owned(),
            }),
            scene: Shared::default(),
            broken: Mutex::new(false),
        });
        let remote = clients(&address, &secrets, limits, extra_roots);
        Self { remote, address, secrets, http: reqwest::Client::new(), began: today() }
    }

    /// More clients, with limits of their own, who have learnt nothing yet.
    pub(super) fn clients(&self, limits: Limits) -> Remote {
        clients(&self.address, &self.secrets, limits, ExtraRoots::default())
    }

    pub(super) async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}/simulator/{path}", self.address);
        let request = self.http.request(method, url);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(super) async fn fault(&self, operation: &str, answer: Value) {
        let fault = json!({ "operation": operation, "times": 1, "answer": answer });
        self.control(Method::POST, "faults", fault).await;
    }

    pub(super) async fn setting(&self, name: &str, value: Value) {
        self.control(Method::PATCH, "settings", json!({ name: value })).await;
    }

    /// Requests of one operation: all, and those that had an effect.
    pub(super) async fn counted(&self, operation: &str) -> (u64, u64) {
        let counts = self.control(Method::GET, "requests/counts", Value::Null).await;
        (counts[operation]["total"].as_u64().unwrap_or(0), counts[operation]["effective"].as_u64().unwrap_or(0))
    }

    /// A sign-in anew, as after a change of the Secret.
    pub(super) fn renew_credentials(&self) {
        self.secrets.credentials.lock().unwrap().generation.push('x');
    }

    /// The activity of so many days before it was started, and since: midnight may have passed meanwhile.
    async fn activity(&self, days: i32) -> Vec<ActivityRecord> {
        self.remote.partner_center.activity(self.began - days.days(), today()).await.unwrap()
    }

    async fn create(&self, index: u32) -> Result<crate::model::Policy, Error> {
        self.remote.partner_center.create_policy(tenant(index), &reservations(), Uuid::new_v4()).await
    }
}

#[tokio::test]
async fn customers_their_azure_and_its_owners_are_read() {
    let simulated = Simulated::start(World::generated(1_203)).await;
    let customers = simulated.remote.partner_center.customers().await.unwrap();
    assert_eq!(customers.len(), 1_203);
    assert_eq!(simulated.counted("list_customers").await.0, 3);
    assert_eq!(customers[&tenant(7)].relationship, Relationship::Reseller);
    assert_eq!(customers[&tenant(7)].company_name.as_deref(), Some("Contoso Customer 7"));
    assert_eq!(simulated.remote.partner_center.customer(tenant(7)).await.unwrap(), customers[&tenant(7)]);

    let estate = simulated.remote.partner_center.azure_estate(tenant(7)).await.unwrap();
    assert_eq!(estate.plans.len(), 1);
    assert!(estate.plans[0].is_active() && estate.plans[0].uses[0].is_active());
    assert_eq!(estate.plans[0].uses[0].id, azure(7));

    let owners =
        simulated.remote.azure.owners(tenant(7), azure(7), &BTreeSet::from([owner(7), owner(8)])).await.unwrap();
    assert_eq!(owners.assigned.keys().collect::<Vec<_>>(), [&owner(7)], "and not the partner's own group");
    assert!(matches!(owners.holding(owner(7)), Holding::Held(_)));
    assert_eq!(owners.holding(owner(8)), Holding::NotHeld);
}

#[tokio::test]
async fn a_service_whose_authority_is_trusted_by_name_is_spoken_to_over_tls() {
    let simulated = Simulated::with_tls(None).await;
    assert_eq!(simulated.remote.partner_center.customers().await.unwrap().len(), 2);
    simulated.create(0).await.unwrap();
    let owners = simulated.remote.azure.owners(tenant(0), azure(0), &BTreeSet::from([owner(0)])).await.unwrap();
    assert_eq!(owners.assigned.keys().collect::<Vec<_>>(), [&owner(0)]);
}

#[tokio::test]
async fn a_service_that_another_authority_vouches_for_gets_no_secret() {
    let other = Tls::generate(&[]).unwrap();
    let simulated = Simulated::with_tls(Some(&other)).await;
    let error = simulated.remote.partner_center.policy(tenant(0)).await.unwrap_err();
    let Cause::Unreachable { server, source } = error.cause() else { panic!("{error:?}") };
    // It says which host that was, and nothing else of the address.
    let (name, address) = server.to_string().split_once(" at ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let address: url::Url = address.parse().unwrap();
    assert_eq!((name.as_str(), address.scheme(), address.path()), ("Microsoft Entra", "https", "/"));
    assert!(address.port().is_some() && source.url().is_none(), "{error:?}");
}

#[tokio::test]
async fn owners_are_found_through_nested_groups_and_a_group_can_be_asked_for() {
    let ids = ["d1", "d2", "e1", "e2"].map(|prefix| format!("{prefix}000000-0000-4000-8000-000000000000"));
    let [person, stranger, inner, outer] = ids.clone().map(|id| id.parse::<ObjectId>().unwrap());
    let world = format!(
        "customers: [{{ tenantId: {}, name: A, groups: [{{ id: {}, members: [{}] }}, {{ id: {}, members: [{}] }}],
         subscriptions: [{{ id: b0000000-0000-4000-8000-000000000000, kind: AzurePlan, azureSubscriptions: [{{ id: {} }}] }}] }}]",
        tenant(0), inner, person, outer, inner, azure(0)
    );
    let simulated = Simulated::start(World::from_yaml(&world).unwrap()).await;
    let grant = json!({ "subscription": azure(0), "principalId": outer, "principalType": "Group", "holds": true });
    simulated.control(Method::POST, "owners", grant).await;
    let asked = BTreeSet::from([person, stranger, inner, outer]);
    let owners = simulated.remote.azure.owners(tenant(0), azure(0), &asked).await.unwrap();
    assert_eq!(owners.assigned.keys().collect::<Vec<_>>(), [&outer]);
    assert_eq!(owners.through_groups.keys().collect::<Vec<_>>(), [&person]);
}

#[tokio::test]
async fn a_user_is_found_by_name_made_an_owner_once_and_shown_when_azure_shows_it() {
    let simulated = Simulated::start(World::generated(1)).await;
    let customer = tenant(0);
    for (name, id, kind) in [("ada", 1, "Member"), ("bob", 2, "Guest")] {
        let user = json!({ "upn": format!("{name}@customer0.onmicrosoft.com"), "objectId": format!("d1000000-0000-4000-8000-00000000000{id}"), "userType": kind });
        simulated.control(Method::POST, &format!("customers/{customer}/users"), user).await;
    }
    let find = async |name: &str| simulated.remote.graph.user(customer, &name.parse().unwrap()).await;
    assert_eq!(find("nobody@customer0.onmicrosoft.com").await.unwrap(), None);
    assert!(find("bob@customer0.onmicrosoft.com").await.unwrap().unwrap().is_guest);
    let ada = find("ADA@Customer0.onmicrosoft.com").await.unwrap().unwrap();
    assert_eq!((ada.id.to_string().as_str(), ada.is_guest), ("d1000000-0000-4000-8000-000000000001", false));

    let assignee = Assignee::new(azure(0), ada.id, AssigneeKind::UserOrGroup);
    let assign = async || simulated.remote.azure.assign_owner(customer, azure(0), &assignee).await;
    simulated.setting("principalReplicationMs", json!(600_000)).await;
    let error = assign().await.unwrap_err();
    assert_eq!((error.reason(), error.advice()), ("PrincipalNotFound", crate::remote::Advice::RetrySoon));
    simulated.setting("principalReplicationMs", json!(0)).await;
    simulated.setting("roleAssignmentDelayMs", json!(600_000)).await;
    assign().await.unwrap();
    let holders = async || simulated.remote.azure.owners(customer, azure(0), &BTreeSet::from([ada.id])).await.unwrap();
    assert_eq!(holders().await.holding(ada.id), Holding::NotHeld, "not shown yet");
    // Again, and by another name: there is only ever one.
    assign().await.unwrap();
    let other = Assignee { assignment: Uuid::from_u128(7), ..assignee.clone() };
    simulated.remote.azure.assign_owner(customer, azure(0), &other).await.unwrap();
    assert_eq!(simulated.counted("create_role_assignment").await.1, 1);
    simulated.control(Method::PUT, "clock", json!({ "advance": "11m" })).await;
    assert!(matches!(holders().await.holding(ada.id), Holding::Held(_)));
    // The partner's own group is asked for by its id, and never counts.
    let partners: ObjectId = "aaaa0000-5555-4e55-9e55-000000000005".parse().unwrap();
    let found = simulated.remote.azure.owners(customer, azure(0), &BTreeSet::from([partners])).await.unwrap();
    assert_eq!(found.holding(partners), Holding::NotHeld);
}

#[tokio::test]
async fn a_policy_lives_and_its_life_is_in_the_activity_log() {
    let simulated = Simulated::start(World::generated(1)).await;
    let partner_center = &simulated.remote.partner_center;
    let ids = [1, 2, 3].map(Uuid::from_u128);
    assert_eq!(partner_center.policy(tenant(0)).await.unwrap(), None);

    let created = partner_center.create_policy(tenant(0), &reservations(), ids[0]).await.unwrap();
    assert_eq!(partner_center.policy(tenant(0)).await.unwrap().as_ref(), Some(&created));
    let updated = partner_center.update_policy(tenant(0), &created, &both(), ids[1]).await.unwrap();
    assert_ne!(updated.etag, created.etag);
    partner_center.delete_policy(tenant(0), &updated.id, ids[2]).await.unwrap();
    partner_center.delete_policy(tenant(0), &updated.id, ids[2]).await.unwrap();
    assert_eq!(partner_center.policy(tenant(0)).await.unwrap(), None);
    assert!(partner_center.update_policy(tenant(0), &updated, &both(), ids[1]).await.unwrap_err().policy_missing());

    let portal =
        json!({ "customer": tenant(0), "resource": "AzureSavingsPlan", "allow": true, "user": "ada@contoso.com" });
    simulated.control(Method::POST, "portal/permission", portal).await;
    let records = simulated.activity(0).await;
    let told: Vec<_> = records.iter().map(|record| (&record.operation, record.actor.as_deref().unwrap())).collect();
    let expected = [
        (&ActivityOperation::Create, DEFAULT_USER),
        (&ActivityOperation::Update, DEFAULT_USER),
        (&ActivityOperation::Delete, DEFAULT_USER),
        (&ActivityOperation::Create, "ada@contoso.com"),
    ];
    assert_eq!(told, expected);
    for (record, id) in records.iter().zip(ids) {
        assert_eq!(record.correlation_id, Some(id.to_string()));
        assert_eq!((record.customer, record.status.as_str()), (tenant(0), "succeeded"));
    }
}

#[tokio::test]
async fn every_day_of_ninety_is_read_and_what_concerns_no_policy_is_left_out() {
    let simulated = Simulated::start(World::generated(1)).await;
    for setting in ["clip", "refuse"] {
        simulated.setting("auditWindow", json!(setting)).await;
        let now = Timestamp::now();
        let mut expected = Vec::new();
        for days in [0, 1, 28, 29, 30, 31, 58, 59, 60, 87, 88, 89] {
            let id = format!("{setting}-{days}");
            let at = now - (i64::from(days) * 24).hours();
            let record = json!({ "customer": tenant(0), "operation": "create_self_serve_policy", "id": id, "at": at });
            simulated.control(Method::POST, "audit", record).await;
            expected.insert(0, id);
        }
        let order = json!({ "customer": tenant(0), "operation": "create_order", "resourceType": "order" });
        simulated.control(Method::POST, "audit", order).await;
        let records = simulated.activity(89).await;
        let told: Vec<_> =
            records.iter().filter(|record| record.id.starts_with(setting)).map(|record| &record.id).collect();
        assert_eq!(told, expected.iter().collect::<Vec<_>>());
        assert!(simulated.activity(1).await.iter().all(|record| now.duration_since(record.at).as_hours() < 48));
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_happens_once() {
    for answer in [
        json!({ "kind": "disconnect", "applied": true }),
        json!({ "kind": "disconnect", "applied": false }),
        json!({ "kind": "status", "status": 500, "applied": true }),
        json!({ "kind": "status", "status": 503 }),
    ] {
        let simulated = Simulated::start(World::generated(1)).await;
        simulated.fault("create_self_serve_policy", answer.clone()).await;
        let created = simulated.create(0).await.unwrap();
        assert_eq!(created.permissions, reservations(), "{answer}");
        assert_eq!(simulated.counted("create_self_serve_policy").await, (2, 1), "{answer}");
        assert_eq!(simulated.activity(0).await.len(), 1, "{answer}");
    }
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let simulated = Simulated::start(World::generated(1)).await;
    for operation in ["list_self_serve_policies", "list_customers", "token"] {
        simulated.renew_credentials();
        simulated.fault(operation, json!({ "kind": "garbage" })).await;
        let error = match operation {
            "list_customers" => simulated.remote.partner_center.customers().await.map(drop),
            _ => simulated.remote.partner_center.policy(tenant(0)).await.map(drop),
        };
        assert_eq!(error.unwrap_err().category(), "unexpected_answer", "{operation}");
    }
}

#[tokio::test]
async fn lost_races_are_told_apart_whatever_a_stale_etag_gets() {
    let simulated = Simulated::start(World::generated(3)).await;
    let partner_center = &simulated.remote.partner_center;
    for (index, status) in [(0, 400), (1, 409), (2, 412)] {
        simulated.setting("staleEtagStatus", json!(status)).await;
        let created = simulated.create(index).await.unwrap();
        assert!(simulated.create(index).await.unwrap_err().policy_exists());
        partner_center.update_policy(tenant(index), &created, &both(), Uuid::new_v4()).await.unwrap();
        let again = partner_center.update_policy(tenant(index), &created, &reservations(), Uuid::new_v4()).await;
        assert!(again.unwrap_err().is_stale(), "{status}");
    }
}

#[tokio::test]
async fn permissions_that_are_not_ours_are_kept() {
    let simulated = Simulated::start(World::generated(1)).await;
    let entries = json!({ "permissions": [
        { "resource": "AzureSomething", "action": "Purchase" }, { "resource": "AzureReservedInstances", "action": "Rent" }
    ] });
    simulated.control(Method::PUT, &format!("customers/{}/policy", tenant(0)), entries).await;
    let partner_center = &simulated.remote.partner_center;
    let read = partner_center.policy(tenant(0)).await.unwrap().unwrap();
    assert_eq!(read.permissions.others().len(), 2);
    let wished = read.permissions.clone().with(Switch::Reservations, true);
    let written = partner_center.update_policy(tenant(0), &read, &wished, Uuid::new_v4()).await.unwrap();
    assert_eq!(partner_center.policy(tenant(0)).await.unwrap().unwrap(), written);
    assert_eq!(written.permissions, wished);
}

#[tokio::test]
async fn a_customer_of_somebody_else_is_told_from_a_partner_without_rights() {
    let simulated = Simulated::start(World::generated(2)).await;
    let partner_center = &simulated.remote.partner_center;
    let errors = [
        partner_center.customer(tenant(9)).await.unwrap_err(),
        partner_center.azure_estate(tenant(9)).await.unwrap_err(),
        partner_center.policy(tenant(9)).await.unwrap_err(),
        simulated.create(9).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.customer_not_ours() && error.denial().is_none(), "{error} {:?}", error.cause());
    }
    for form in ["fault900150", "emptyBody", "reasonPhrase", "2032", "900308", "600006"] {
        simulated.setting("wrongRole", json!(form)).await;
        simulated.control(Method::POST, "partner/user", json!({ "upn": DEFAULT_USER, "roles": ["SalesAgent"] })).await;
        simulated.renew_credentials();
        partner_center.policy(tenant(0)).await.unwrap();
        let error = simulated.create(0).await.unwrap_err();
        assert_eq!(error.denial().unwrap().reason, "NotAdminAgent");
    }
}

#[tokio::test]
async fn every_defect_of_the_sign_in_has_its_reason() {
    let simulated = Simulated::start(World::generated(1)).await;
    let denied = async || simulated.remote.partner_center.customers().await.unwrap_err().denial().unwrap().reason;
    simulated.remote.partner_center.customers().await.unwrap();

    simulated.setting("mfaInTokens", json!(false)).await;
    simulated.renew_credentials();
    assert_eq!(denied().await, "MfaRequired");
    simulated.setting("mfaInTokens", json!(true)).await;

    simulated.setting("revokeRefreshTokens", json!(true)).await;
    simulated.renew_credentials();
    assert_eq!(denied().await, "CredentialsInvalid");
    simulated.setting("revokeRefreshTokens", json!(false)).await;

    simulated.secrets.credentials.lock().unwrap().proof = Proof::Secret("wrong".into());
    simulated.renew_credentials();
    assert_eq!(denied().await, "CredentialsInvalid");
    simulated.secrets.credentials.lock().unwrap().proof = Proof::Secret(DEFAULT_CLIENT_SECRET.into());

    simulated.renew_credentials();
    simulated.remote.partner_center.customers().await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_refused_before_its_time_is_renewed() {
    let simulated = Simulated::start(World::generated(1)).await;
    simulated.remote.partner_center.customers().await.unwrap();
    simulated.fault("list_customers", json!({ "kind": "status", "status": 401 })).await;
    simulated.remote.partner_center.customers().await.unwrap();
    assert_eq!(simulated.counted("token").await.0, 2);

    simulated.setting("singleUseRefreshTokens", json!(true)).await;
    for _ in 0..3 {
        simulated.renew_credentials();
        simulated.remote.partner_center.customers().await.unwrap();
    }
    assert_eq!(simulated.counted("token").await.0, 5, "each with the token that the one before has left");
}
