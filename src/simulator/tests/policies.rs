//! Self-serve policies: the five operations, their refusals, etags and replays.

use super::*;

#[tokio::test]
async fn a_policy_is_created_read_changed_and_deleted() {
    let api = Api::with_customers().await;
    let list = format!("/v1/SelfServePolicy?entity_id={CUSTOMER}");
    let (status, body) = api.get(&list).await;
    assert_eq!((status, &body["totalCount"], &body["items"]), (200, &json!(0), &json!([])));
    assert_eq!(body["attributes"]["objectType"], "Collection");

    let (status, created) = api.create(CUSTOMER, &[RESERVATIONS]).await;
    assert_eq!(status, 201);
    assert_eq!(created["id"], format!("{PARTNER}_{CUSTOMER}"));
    assert_eq!(created["selfServeEntity"], json!({ "selfServeEntityType": "customer", "tenantID": CUSTOMER }));
    assert_eq!(created["grantor"], json!({ "grantorType": "billToPartner", "tenantID": PARTNER }));
    assert_eq!(created["permissions"], json!([{ "resource": RESERVATIONS, "action": "Purchase" }]));
    assert_eq!(created["attributes"]["objectType"], "SelfServePolicy");
    let etag = created["attributes"]["etag"].as_str().expect("an etag");
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");

    let (_, body) = api.get(&list).await;
    assert_eq!(body["items"], json!([created]));
    let of_another = format!("/v1/SelfServePolicy?entity_id={OTHER_CUSTOMER}");
    assert_eq!(api.get(&of_another).await.1["items"], json!([]));
    let (status, got) = api.get(&format!("/v1/SelfServePolicy/{PARTNER}_{CUSTOMER}")).await;
    assert_eq!((status, &got), (200, &created));

    let mut changed = created.clone();
    changed["permissions"] = json!([{ "resource": SAVINGS, "action": "Purchase" }]);
    let (status, updated) = api.update(&changed).await;
    assert_eq!(status, 200);
    assert_eq!(updated["permissions"], changed["permissions"]);
    assert_ne!(updated["attributes"]["etag"], created["attributes"]["etag"]);

    assert_eq!(api.delete(CUSTOMER).await, (204, Value::Null));
    assert_eq!(code(&api.delete(CUSTOMER).await), (404, "600039"));
    assert_eq!(api.get(&list).await.1["totalCount"], 0);
}

#[tokio::test]
async fn paths_query_names_and_keys_match_in_any_case() {
    let api = Api::with_customers().await;
    // As Microsoft's .NET SDK sends a create.
    let body = json!({
        "Id": null,
        "SelfServeEntity": { "SelfServeEntityType": "customer", "TenantID": CUSTOMER.to_uppercase() },
        "Grantor": { "GrantorType": "BillToPartner", "TenantID": PARTNER },
        "Permissions": [{ "Action": "purchase", "Resource": "azurereservedinstances" }],
        "Attributes": { "ObjectType": "SelfServePolicy" },
    });
    let (status, created) = answered(api.request(Method::POST, "/V1/selfservepolicy").json(&body)).await;
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["permissions"], json!([{ "resource": RESERVATIONS, "action": "Purchase" }]));
    let (_, listed) = api.get(&format!("/v1/SELFSERVEPOLICY?entity_Id={CUSTOMER}")).await;
    assert_eq!(listed["totalCount"], 1);
}

#[tokio::test]
async fn an_update_without_an_id_in_the_path_takes_it_from_the_body() {
    let api = Api::with_customers().await;
    let (_, mut body) = api.create(CUSTOMER, &[RESERVATIONS]).await;
    body["permissions"] = json!([{ "resource": SAVINGS, "action": "Purchase" }]);
    let put = |body: &Value| answered(api.request(Method::PUT, "/v1/SelfServePolicy").json(body));
    let (status, updated) = put(&body).await;
    assert_eq!((status, &updated["permissions"]), (200, &body["permissions"]));
    assert_eq!(api.permissions(CUSTOMER).await, body["permissions"]);

    body.as_object_mut().expect("an object").remove("id");
    assert_eq!(code(&put(&body).await), (400, "3000"));
    let path = format!("/v1/SelfServePolicy/{PARTNER}_{CUSTOMER}");
    assert_eq!(
        code(&answered(api.request(Method::PUT, &path).json(&body)).await),
        (400, "3000"),
        "the path is not enough"
    );
}

#[tokio::test]
async fn a_second_policy_of_a_customer_is_refused() {
    let api = Api::with_customers().await;
    api.create(CUSTOMER, &[RESERVATIONS]).await;
    assert_eq!(code(&api.create(CUSTOMER, &[SAVINGS]).await), (409, "600041"));
    assert_eq!(api.create(OTHER_CUSTOMER, &[SAVINGS]).await.0, 201);
}

#[tokio::test]
async fn ids_are_refused_by_what_is_wrong_with_them() {
    let api = Api::with_customers().await;
    for (id, expected) in [
        (format!("{PARTNER}_{CUSTOMER}"), (404, "600039")),
        (format!("{STRANGER}_{CUSTOMER}"), (404, "600039")),
        (format!("{PARTNER}_nonsense"), (404, "600040")),
        (CUSTOMER.to_owned(), (404, "600040")),
        (format!("{PARTNER}_{STRANGER}"), (403, "20002")),
    ] {
        let path = format!("/v1/SelfServePolicy/{id}");
        assert_eq!(code(&api.get(&path).await), expected, "GET {id}");
        assert_eq!(code(&answered(api.request(Method::DELETE, &path)).await), expected, "DELETE {id}");
        let mut body = policy(CUSTOMER, &[RESERVATIONS]);
        body["id"] = json!(id);
        assert_eq!(code(&api.update(&body).await), expected, "PUT {id}");
    }
    api.create(CUSTOMER, &[RESERVATIONS]).await;
    let of_another_partner = format!("/v1/SelfServePolicy/{STRANGER}_{CUSTOMER}");
    assert_eq!(code(&api.get(&of_another_partner).await), (404, "600039"), "also when our own exists");
    let mut other = policy(CUSTOMER, &[RESERVATIONS]);
    other["id"] = json!(format!("{PARTNER}_{OTHER_CUSTOMER}"));
    let path = format!("/v1/SelfServePolicy/{PARTNER}_{CUSTOMER}");
    assert_eq!(code(&answered(api.request(Method::PUT, &path).json(&other)).await), (404, "600040"));
}

#[tokio::test]
async fn bodies_are_refused_by_what_is_wrong_with_them() {
    let api = Api::with_customers().await;
    let with = |pointer: &str, value: Value| {
        let mut body = policy(CUSTOMER, &[RESERVATIONS]);
        *body.pointer_mut(pointer).expect("there") = value;
        body
    };
    for (body, expected) in [
        (with("/permissions", json!([])), (400, "3000")),
        (with("/permissions", Value::Null), (400, "3000")),
        (with("/permissions/0/resource", json!("AzureSavingsPlans")), (400, "3000")),
        (with("/permissions/0/action", json!("Return")), (400, "3000")),
        (with("/selfServeEntity/selfServeEntityType", json!("reseller")), (400, "3000")),
        (with("/selfServeEntity/tenantID", json!("nonsense")), (400, "900118")),
        (with("/selfServeEntity/tenantID", json!(STRANGER)), (403, "20002")),
        (with("/grantor/grantorType", json!("me")), (400, "3000")),
        (with("/grantor/tenantID", json!(STRANGER)), (403, "600006")),
        (json!("text"), (400, "")),
    ] {
        let answer = answered(api.request(Method::POST, "/v1/SelfServePolicy").json(&body)).await;
        assert_eq!(code(&answer), expected, "{body}\n{}", answer.1);
        if expected.1.is_empty() {
            assert_eq!(answer.1, json!({ "message": "The request is invalid." }));
        } else {
            assert_eq!(answer.1["data"], json!([]), "without data the .NET SDK loses the fault");
        }
    }
    assert_eq!(api.permissions(CUSTOMER).await, json!([]));
    assert!(api.audit_operations().await.is_empty(), "a refused write leaves no record");
}

#[tokio::test]
async fn an_update_never_empties_a_policy() {
    let api = Api::with_customers().await;
    let (_, mut created) = api.create(CUSTOMER, &[RESERVATIONS]).await;
    created["permissions"] = json!([]);
    assert_eq!(code(&api.update(&created).await), (400, "3000"));
}

#[tokio::test]
async fn unknown_permissions_are_kept_but_not_introduced() {
    let api = Api::with_customers().await;
    let future = json!({ "resource": "AzureFutureThing", "action": "Lease" });
    let raw = json!({ "permissions": [future] });
    api.control(Method::PUT, &format!("customers/{CUSTOMER}/policy"), &raw).await;
    let (_, mut read) = api.get(&format!("/v1/SelfServePolicy/{PARTNER}_{CUSTOMER}")).await;
    read["permissions"] = json!([future, { "resource": RESERVATIONS, "action": "Purchase" }]);
    let (status, updated) = api.update(&read).await;
    assert_eq!((status, &updated["permissions"]), (200, &read["permissions"]));

    let (_, mut other) = api.create(OTHER_CUSTOMER, &[RESERVATIONS]).await;
    other["permissions"] = json!([future]);
    assert_eq!(code(&api.update(&other).await), (400, "3000"));
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_configured_status() {
    let api = Api::with_customers().await;
    let (_, read) = api.create(CUSTOMER, &[RESERVATIONS]).await;
    let (_, current) = api.update(&read).await;
    for status in [409, 412, 400] {
        api.settings(json!({ "staleEtagStatus": status })).await;
        assert_eq!(code(&api.update(&read).await), (status, "2055"));
    }
    let mut missing = current.clone();
    missing["attributes"] = json!({ "objectType": "SelfServePolicy" });
    assert_eq!(code(&api.update(&missing).await), (400, "3000"));
    assert_eq!(api.update(&current).await.0, 200);
}

#[tokio::test]
async fn a_repeated_write_is_answered_but_not_repeated() {
    let api = Api::with_customers().await;
    let create = |customer: &str| {
        let request = api.request(Method::POST, "/v1/SelfServePolicy").header("MS-RequestId", STRANGER);
        request.json(&policy(customer, &[RESERVATIONS]))
    };
    let first = answered(create(CUSTOMER)).await;
    let second = answered(create(CUSTOMER)).await;
    assert_eq!(first.0, 201);
    assert_eq!(first, second);
    assert_eq!(api.audit_operations().await, ["create_self_serve_policy"]);
    let (_, other) = answered(create(OTHER_CUSTOMER)).await;
    assert_eq!(other["selfServeEntity"]["tenantID"], OTHER_CUSTOMER, "another write under the same id");

    let get = || api.request(Method::GET, &format!("/v1/SelfServePolicy?entity_id={CUSTOMER}"));
    let read = || answered(get().header("MS-RequestId", STRANGER));
    assert_eq!(read().await.1["totalCount"], 1);
    api.delete(CUSTOMER).await;
    assert_eq!(read().await.1["totalCount"], 0, "reads are never replayed");
}

#[tokio::test]
async fn a_stored_answer_is_for_nobody_who_may_not_write() {
    let api = Api::with_customers().await;
    let create = |request: reqwest::RequestBuilder| {
        answered(request.header("MS-RequestId", STRANGER).json(&policy(CUSTOMER, &[RESERVATIONS])))
    };
    let with_token = || api.request(Method::POST, "/v1/SelfServePolicy");
    let without = || reqwest::Client::new().post(format!("{}/v1/SelfServePolicy", api.base));
    assert_eq!(create(with_token()).await.0, 201);
    assert_eq!(create(without()).await.0, 401);
    assert_eq!(create(without().bearer_auth("nonsense")).await.0, 401);
    api.control(Method::POST, "partner/user", &json!({ "upn": USER, "roles": ["SalesAgent"] })).await;
    assert_eq!(code(&create(with_token()).await), (403, "900150"));
}

#[tokio::test]
async fn a_refused_write_is_judged_anew() {
    let api = Api::with_customers().await;
    api.create(CUSTOMER, &[SAVINGS]).await;
    let create = || {
        let request = api.request(Method::POST, "/v1/SelfServePolicy").header("MS-RequestId", STRANGER);
        answered(request.json(&policy(CUSTOMER, &[RESERVATIONS])))
    };
    assert_eq!(create().await.0, 409);
    api.delete(CUSTOMER).await;
    assert_eq!(create().await.0, 201);
}

#[tokio::test]
async fn answers_echo_the_ids_of_the_request() {
    let api = Api::with_customers().await;
    let request = api.request(Method::GET, "/v1/customers");
    let response = request.header("MS-RequestId", OWNER).header("MS-CorrelationId", PLAN).send().await.expect("sent");
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!(header("MS-RequestId"), OWNER);
    assert_eq!(header("MS-CorrelationId"), PLAN);
    assert!(header("MS-CV").ends_with(".0"));
    assert!(!header("MS-ServerId").is_empty());

    let response = api.request(Method::GET, "/v1/customers").send().await.expect("sent");
    let made = |name: &str| response.headers()[name].to_str().expect("text").parse::<uuid::Uuid>().expect("a GUID");
    assert_ne!(made("MS-RequestId"), made("MS-CorrelationId"), "made when the caller names none");
}

#[tokio::test]
async fn policies_need_a_resold_customer_and_a_named_one() {
    let api = Api::with_customers().await;
    assert_eq!(code(&api.get("/v1/SelfServePolicy").await), (400, "800002"));
    let path = format!("customers/{CUSTOMER}/relationship");
    api.control(Method::PUT, &path, &json!({ "relationship": "advisor" })).await;
    assert_eq!(code(&api.create(CUSTOMER, &[RESERVATIONS]).await), (403, "20002"));
    assert_eq!(code(&api.get(&format!("/v1/SelfServePolicy?entity_id={CUSTOMER}")).await), (403, "20002"));
}

#[tokio::test]
async fn tokens_decide_who_may_do_what() {
    let mut api = Api::with_customers().await;
    let list = format!("/v1/SelfServePolicy?entity_id={CUSTOMER}");
    let good = api.token.clone();

    let response = api.client.get(format!("{}{list}", api.base)).send().await.expect("sent");
    assert_eq!(code(&read(response).await), (401, "800001"));

    api.token = "garbage".to_owned();
    assert_eq!(code(&api.get(&list).await), (401, "400"));

    // The second is what Microsoft's older samples asked for.
    for resource in [ARM, "https://graph.windows.net"] {
        let (_, body) = api.redeem(PARTNER, SEED, resource).await;
        api.token = body["access_token"].as_str().expect("a token").to_owned();
        assert_eq!(code(&api.get(&list).await), (401, "900420"), "{resource}");
    }

    api.token = api.app_token().await;
    assert_eq!(code(&api.get(&list).await), (403, "900329"));
    assert_eq!(code(&api.create(CUSTOMER, &[RESERVATIONS]).await), (403, "900329"));
    assert_eq!(api.get("/v1/customers").await.0, 200, "app-only is enough here");

    api.token = good.clone();
    api.settings(json!({ "mfaInTokens": false })).await;
    api.token = api.user_token().await;
    assert_eq!(code(&api.get(&list).await), (401, "900421"));

    api.settings(json!({ "mfaInTokens": true, "accessTokenSeconds": 0 })).await;
    api.token = api.user_token().await;
    assert_eq!(code(&api.get(&list).await), (401, "400"), "expired");
}

/// The five operations, on a policy that exists but for the create.
async fn every_operation(api: &Api, policy: &Value) -> [Answered; 5] {
    [
        api.get(&format!("/v1/SelfServePolicy?entity_id={CUSTOMER}")).await,
        api.get(&format!("/v1/SelfServePolicy/{PARTNER}_{CUSTOMER}")).await,
        api.create(OTHER_CUSTOMER, &[RESERVATIONS]).await,
        api.update(policy).await,
        api.delete(CUSTOMER).await,
    ]
}

#[tokio::test]
async fn none_of_the_operations_takes_an_applications_token() {
    let mut api = Api::with_customers().await;
    let (_, policy) = api.create(CUSTOMER, &[RESERVATIONS]).await;
    api.token = api.app_token().await;
    for answer in every_operation(&api, &policy).await {
        assert_eq!(code(&answer), (403, "900329"));
    }
    assert_eq!(api.permissions(CUSTOMER).await, policy["permissions"]);
    assert_eq!(api.permissions(OTHER_CUSTOMER).await, json!([]));
}

#[tokio::test]
async fn only_admin_agents_write() {
    let api = Api::with_customers().await;
    let (_, policy) = api.create(CUSTOMER, &[RESERVATIONS]).await;
    for roles in [json!(["SalesAgent"]), json!(["HelpdeskAgent"]), json!(["SalesAgent", "HelpdeskAgent"]), json!([])] {
        let user = json!({ "upn": crate::simulator::DEFAULT_USER, "roles": roles });
        api.control(Method::POST, "partner/user", &user).await;
        let [list, get, writes @ ..] = every_operation(&api, &policy).await;
        assert_eq!((list.0, get), (200, (200, policy.clone())), "{roles}");
        for answer in writes {
            assert_eq!(code(&answer), (403, "900150"), "{roles}");
        }
    }
    assert_eq!(api.permissions(CUSTOMER).await, policy["permissions"]);
    api.settings(json!({ "wrongRole": "emptyBody" })).await;
    assert_eq!(api.create(OTHER_CUSTOMER, &[RESERVATIONS]).await, (403, Value::Null));
}
