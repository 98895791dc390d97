//! What kind of partner it is, who has which role, and the report about MFA.

use super::*;

const RESELLER: &str = "aaaa1111-2222-4b22-9b22-000000000002";

fn relationships(name: &str) -> String {
    format!("/v1/relationships?relationship_type={name}")
}

async fn become_a(api: &Api, kind: &str) {
    let related = json!([{ "tenantId": RESELLER, "name": "Litware", "mpnId": "7654321" }]);
    api.control(Method::PATCH, "partner", &json!({ "type": kind, "relatedPartners": related })).await;
}

#[tokio::test]
async fn an_indirect_provider_is_known_by_its_resellers() {
    let api = Api::with_customers().await;
    let count = async |name: &str| api.get(&relationships(name)).await.1["totalCount"].clone();
    assert_eq!(count("IsIndirectCloudSolutionProviderOf").await, 0, "direct bill");
    become_a(&api, "IndirectProvider").await;
    let (_, body) = api.get(&relationships("isindirectcloudsolutionproviderof")).await;
    let item = &body["items"][0];
    assert_eq!(item["relationshipType"], "is_indirect_cloud_solution_provider_of");
    assert_eq!((&item["id"], &item["state"], &item["mpnId"]), (&json!(RESELLER), &json!("Active"), &json!("7654321")));
    assert_eq!(count("IsIndirectResellerOf").await, 0);
    assert_eq!(code(&api.get(&relationships("IsFriendOf")).await), (400, "3000"));
    let (_, of_customer) = api.get(&format!("/v1/customers/{CUSTOMER}/relationships")).await;
    assert_eq!(of_customer["items"][0]["name"], "Litware");
}

#[tokio::test]
async fn an_indirect_reseller_reaches_only_its_profile_and_relationships() {
    let api = Api::with_customers().await;
    become_a(&api, "IndirectReseller").await;
    assert_eq!(api.get(&relationships("IsIndirectResellerOf")).await.1["totalCount"], 1);
    assert_eq!(api.get("/v1/profiles/organization").await.0, 200);
    assert_eq!(code(&api.get("/v1/customers").await), (403, "900149"));
    assert_eq!(code(&api.create(CUSTOMER, &[RESERVATIONS]).await), (403, "900149"));
}

#[tokio::test]
async fn relationships_and_profiles_need_a_user() {
    let mut api = Api::with_customers().await;
    api.token = api.app_token().await;
    let customer = format!("/v1/customers/{CUSTOMER}/relationships");
    let user_only = ["/v1/profiles/organization", "/v1/profiles/mpn", "/v1/profiles/billing", &customer];
    for path in user_only {
        assert_eq!(code(&api.get(path).await), (403, "900329"), "{path}");
    }
    assert_eq!(code(&api.get(&relationships("IsIndirectResellerOf")).await), (403, "900329"));
    assert_eq!(api.get("/v1/profiles/legalbusiness?vettingVersion=Current").await.1["vettingStatus"], "authorized");
}

/// Method, path below `/v1`, and whether a token without a user is good enough for it.
const WITHOUT_A_USER: [(Method, &str, bool); 24] = [
    (Method::GET, "SelfServePolicy?entity_id={customer}", false),
    (Method::GET, "SelfServePolicy/{policy}", false),
    (Method::POST, "SelfServePolicy", false),
    (Method::PUT, "SelfServePolicy/{policy}", false),
    (Method::DELETE, "SelfServePolicy/{policy}", false),
    (Method::GET, "customers/{customer}/entitlements", false),
    (Method::GET, "relationships?relationship_type=IsIndirectResellerOf", false),
    (Method::GET, "customers/{customer}/relationships", false),
    (Method::GET, "profiles/organization", false),
    (Method::GET, "profiles/mpn", false),
    (Method::GET, "profiles/billing", false),
    (Method::GET, "customers", true),
    (Method::GET, "customers/{customer}", true),
    (Method::GET, "customers/{customer}/subscriptions", true),
    (Method::GET, "customers/{customer}/subscriptions/{plan}", true),
    (Method::GET, "customers/{customer}/subscriptions/{plan}/azureEntitlements", true),
    (Method::GET, "customers/{customer}/orders", true),
    (Method::GET, "auditrecords", true),
    (Method::GET, "auditrecords/none", true),
    (Method::POST, "customers/{customer}/carts", true),
    (Method::GET, "customers/{customer}/carts/none", true),
    (Method::POST, "customers/{customer}/subscriptions/{plan}/registrations", true),
    (Method::GET, "customers/{customer}/subscriptions/{plan}/registrationstatus", true),
    (Method::GET, "profiles/legalbusiness?vettingVersion=Current", true),
];

#[tokio::test]
async fn an_application_alone_reaches_what_its_documentation_says_and_needs_no_mfa() {
    let mut api = Api::with_customers().await;
    api.settings(json!({ "mfaInTokens": false })).await;
    api.token = api.app_token().await;
    for (method, path, is_enough) in WITHOUT_A_USER {
        let names = [("{customer}", CUSTOMER), ("{plan}", PLAN), ("{policy}", &format!("{PARTNER}_{CUSTOMER}"))];
        let path = names.iter().fold(format!("/v1/{path}"), |path, (name, id)| path.replace(name, id));
        let answer = answered(api.request(method.clone(), &path).json(&json!({}))).await;
        let is_refused = code(&answer) == (403, "900329");
        // Beyond the token, some miss their content.
        assert!(is_refused != is_enough && answer.0 != 401, "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn profiles_say_who_the_partner_is_and_nothing_of_its_kind() {
    let api = Api::with_customers().await;
    let (_, organization) = api.get("/v1/profiles/organization").await;
    assert_eq!((&organization["tenantId"], &organization["companyName"]), (&json!(PARTNER), &json!("Contoso Partner")));
    assert_eq!(api.get("/v1/profiles/mpn").await.1["mpnId"], "1234567");
    assert_eq!(code(&api.get("/v1/profiles/colour").await), (404, "1000"));
    let every = async || {
        let mut profiles = Vec::new();
        for name in ["organization", "mpn", "billing", "legalbusiness?vettingVersion=Current"] {
            let (status, body) = api.get(&format!("/v1/profiles/{name}")).await;
            assert_eq!(status, 200, "{name}");
            profiles.push(body);
        }
        profiles
    };
    let of_direct_bill = every().await;
    become_a(&api, "IndirectProvider").await;
    assert_eq!(every().await, of_direct_bill);
}

#[tokio::test]
async fn roles_list_their_members() {
    let api = Api::with_customers().await;
    let (_, roles) = api.get("/v1/roles").await;
    let names: Vec<&str> =
        roles["items"].as_array().expect("items").iter().filter_map(|role| role["name"].as_str()).collect();
    assert_eq!(names, ["AdminAgents", "HelpdeskAgents", "SalesAgents"]);
    let members = async |role: &Value| {
        let id = role["id"].as_str().expect("an id");
        api.get(&format!("/v1/roles/{id}/usermembers")).await.1["items"][0]["userPrincipalName"].clone()
    };
    assert_eq!(members(&roles["items"][0]).await, USER);
    assert_eq!(members(&roles["items"][1]).await, Value::Null);
    assert_eq!(api.get("/v1/applicationmfaadoptionstatus").await.1["isMfaCompliant"], true);
}

#[tokio::test]
async fn the_answer_tells_whether_the_token_has_mfa_when_asked() {
    let mut api = Api::with_customers().await;
    let report = async |api: &Api, asks: bool| {
        let mut request = api.request(Method::GET, "/v1/customers");
        if asks {
            request = request.header("ValidateMfa", "true");
        }
        let response = request.send().await.expect("an answer");
        response.headers().get("isMfaCompliant").map(|value| value.to_str().expect("text").to_owned())
    };
    assert_eq!(report(&api, true).await.as_deref(), Some("true"));
    assert_eq!(report(&api, false).await, None);
    api.settings(json!({ "mfaInTokens": false })).await;
    api.token = api.user_token().await;
    assert_eq!(report(&api, true).await.as_deref(), Some("false"));
}
