//! What Microsoft's own Partner Center clients send beside what is documented.

use super::*;

/// Headers of the .NET and the Java client that say nothing to the service.
const FURTHER_HEADERS: [(&str, &str); 6] = [
    ("MS-Contract-Version", "v1"),
    ("MS-PartnerCenter-Client", "Partner Center .NET SDK"),
    ("MS-SdkVersion", "3.4.0"),
    ("ocp-apim-subscription-key", "any"),
    ("X-Locale", "en-US"),
    ("MS-PartnerCenter-Application", "an application"),
];

#[tokio::test]
async fn further_headers_are_accepted() {
    let api = Api::with_customers().await;
    for (name, value) in FURTHER_HEADERS {
        let request = api.request(Method::GET, &format!("/v1/customers/{CUSTOMER}")).header(name, value);
        assert_eq!(answered(request).await.0, 200, "{name}");
    }
}

#[tokio::test]
async fn a_record_is_read_by_its_id_and_is_null_when_there_is_none() {
    let api = Api::with_customers().await;
    api.create(CUSTOMER, &[RESERVATIONS]).await;
    let (_, list) = api.get("/v1/auditrecords").await;
    let record = &list["items"][0];
    let id = record["id"].as_str().expect("an id");
    assert_eq!(api.get(&format!("/v1/auditrecords/{id}")).await, (200, record.clone()));
    assert_eq!(api.get("/v1/auditrecords/none").await, (200, Value::Null));
}

#[tokio::test]
async fn entitlements_and_subscriptions_have_the_fields_that_clients_read() {
    let api = Api::with_customers().await;
    let purchase = json!({ "kind": "reservation", "buyer": "customer", "quantity": 3 });
    api.control(Method::POST, &format!("customers/{CUSTOMER}/purchases"), &purchase).await;
    let (_, entitlements) = api.get(&format!("/v1/customers/{CUSTOMER}/entitlements?showExpiry=True")).await;
    let entitlement = &entitlements["items"][0];
    assert_eq!(entitlement["fulfillmentState"], "completed");
    assert_eq!(entitlement["quantityDetails"][0]["quantity"], 3);
    assert_eq!(entitlement["includedEntitlements"], json!([]));
    assert_eq!(entitlement["entitledArtifacts"][0]["artifactType"], "reservedinstance");

    let (_, subscriptions) = api.get(&format!("/v1/customers/{CUSTOMER}/subscriptions")).await;
    let plan = &subscriptions["items"][0];
    assert_eq!((&plan["billingType"], &plan["billingCycle"]), (&json!("usage"), &json!("one_time")));
}

/// What Azure's clients read of a reservation and of a savings plan, beside what they are tested for elsewhere.
const RESERVATION_PROPERTIES: [&str; 20] = [
    "displayName",
    "appliedScopeType",
    "appliedScopes",
    "quantity",
    "term",
    "reservedResourceType",
    "provisioningState",
    "displayProvisioningState",
    "purchaseDate",
    "purchaseDateTime",
    "effectiveDateTime",
    "benefitStartTime",
    "expiryDate",
    "expiryDateTime",
    "billingScopeId",
    "userFriendlyAppliedScopeType",
    "userFriendlyRenewState",
    "utilization",
    "archived",
    "renew",
];
const SAVINGS_PLAN_PROPERTIES: [&str; 13] = [
    "displayName",
    "commitment",
    "term",
    "appliedScopeType",
    "appliedScopeProperties",
    "billingScopeId",
    "billingAccountId",
    "billingProfileId",
    "purchaseDateTime",
    "expiryDateTime",
    "provisioningState",
    "userFriendlyAppliedScopeType",
    "renew",
];
/// What they put into the address of a list.
const LIST_QUERY: &str = "$filter=properties/quantity%20ge%201&$orderby=properties/displayName%20asc&refreshSummary=true\
                          &$skiptoken=0&selectedState=Succeeded&take=50";

#[tokio::test]
async fn what_azure_lists_of_purchases_has_the_properties_that_clients_read() {
    let api = Api::with_customers().await;
    for kind in ["reservation", "savingsPlan"] {
        let purchase = json!({ "kind": kind, "buyer": "customer", "subscription": AZURE });
        api.control(Method::POST, &format!("customers/{CUSTOMER}/purchases"), &purchase).await;
    }
    let (_, grant) = api.redeem(CUSTOMER, SEED, ARM).await;
    let token = grant["access_token"].as_str().expect("a token");
    for (provider, properties, top) in [
        ("Microsoft.Capacity/reservations", &RESERVATION_PROPERTIES[..], &["etag", "sku", "kind", "location"][..]),
        ("Microsoft.BillingBenefits/savingsPlans", &SAVINGS_PLAN_PROPERTIES[..], &["sku"][..]),
    ] {
        let url = format!("{}/providers/{provider}?api-version=2022-11-01&{LIST_QUERY}", api.base);
        let (status, body) = answered(api.client.get(url).bearer_auth(token)).await;
        assert_eq!((status, body["value"].as_array().map(Vec::len)), (200, Some(1)), "{body}");
        let item = &body["value"][0];
        for name in ["id", "name", "type"].iter().chain(top) {
            assert!(!item[name].is_null(), "{provider} lacks {name}: {item}");
        }
        for name in properties {
            assert!(!item["properties"][name].is_null(), "{provider} lacks {name}: {item}");
        }
    }
}
