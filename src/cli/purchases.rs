//! `kubectl csp purchases`: what customers have bought, from what the statuses of their Customers keep of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde::Serialize;

use super::args::PurchasesArgs;
use super::objects::{ListError, Objects};
use super::table::{FormatError, structured, table};
use super::terminal::{printable, report, say};
use crate::api::{Customer, Purchase, PurchaseKind, PurchasedBy};

/// Condition that says whether what is kept can be taken for all there is.
const RECORDED: &str = "PurchasesRecorded";
/// Its reason where nothing was listed, which is so with most customers.
const NOTHING_SHOWN: &str = "NothingShown";
/// Most customers of whom it is said one by one that there may be more.
const CAUTIONS_MAX: usize = 10;

/// One purchase, as it is printed for programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    customer: Buyer,
    /// As in the status.
    #[serde(flatten)]
    purchase: Purchase,
}

/// The customer that it was bought for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Buyer {
    namespace: String,
    /// Name of its Customer.
    name: String,
    tenant_id: String,
    company_name: Option<String>,
}

/// Prints them.
pub(super) async fn run(args: &PurchasesArgs) -> Result<(), ListError> {
    let objects = Objects::open(&args.objects).await?;
    let mut customers: Vec<Customer> = objects.list().await?;
    if let Some(customer) = &args.customer {
        customers.retain(|one| one.name_any() == *customer || one.spec.tenant_id.eq_ignore_ascii_case(customer));
        if customers.is_empty() {
            return Err(objects.lack(customer));
        }
    }
    let all = all(&customers);
    match structured(&all, args.output)? {
        Some(text) => report(text.trim_end()).map_err(FormatError::from)?,
        None if all.is_empty() => say(&format!("No purchases known in {}.", objects.place())),
        None => report(&rows(&all)).map_err(FormatError::from)?,
    }
    for caution in cautions(&customers, args.customer.is_some()) {
        say(&caution);
    }
    Ok(())
}

/// All that the statuses keep, each purchase once, newest first.
fn all(customers: &[Customer]) -> Vec<Entry> {
    let mut found: BTreeMap<(String, String), Entry> = BTreeMap::new();
    for customer in customers {
        for purchase in customer.status.iter().flat_map(|status| &status.purchases) {
            let entry = Entry { customer: Buyer::of(customer), purchase: purchase.clone() };
            let key = (entry.customer.tenant_id.to_ascii_lowercase(), purchase.id.clone());
            // Two objects for one tenant show the same; one of them may not have heard who bought it.
            let tells_more = |known: &Entry| known.purchase.purchased_by == PurchasedBy::Unknown;
            if found.get(&key).is_none_or(tells_more) {
                found.insert(key, entry);
            }
        }
    }
    let mut all: Vec<_> = found.into_values().collect();
    all.sort_by_key(|entry| Reverse(entry.purchase.purchased_at.as_ref().map(|at| at.0)));
    all
}

impl Buyer {
    fn of(customer: &Customer) -> Self {
        Self {
            namespace: customer.namespace().unwrap_or_default(),
            name: customer.name_any(),
            tenant_id: customer.spec.tenant_id.clone(),
            company_name: customer.status.as_ref().and_then(|status| status.company_name.clone()),
        }
    }
}

fn rows(all: &[Entry]) -> String {
    let day =
        |at: &Option<Time>| at.as_ref().map_or_else(|| "-".to_owned(), |at| at.0.strftime("%Y-%m-%d").to_string());
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let rows: Vec<_> = all
        .iter()
        .map(|Entry { customer, purchase }| {
            let amount = purchase.quantity.map(|quantity| quantity.to_string()).or(purchase.commitment.clone());
            let renews = purchase.renews.map(|renews| if renews { "yes" } else { "no" }.to_owned());
            let used = purchase.utilization_percent.map(|percent| format!("{percent}%"));
            [
                customer.company_name.clone().unwrap_or_else(|| customer.name.clone()),
                match purchase.kind {
                    PurchaseKind::Reservation => "Reservation".to_owned(),
                    PurchaseKind::SavingsPlan => "SavingsPlan".to_owned(),
                    PurchaseKind::Unknown => "-".to_owned(),
                },
                text(&purchase.display_name),
                text(&amount),
                text(&purchase.term),
                text(&purchase.scope_type),
                day(&purchase.purchased_at),
                day(&purchase.expires_at),
                text(&renews),
                text(&used),
                format!("{:?}", purchase.purchased_by),
                purchase.state.clone(),
            ]
            .map(|cell| printable(&cell))
        })
        .collect();
    let headings = [
        "CUSTOMER",
        "KIND",
        "NAME",
        "AMOUNT",
        "TERM",
        "SCOPE",
        "BOUGHT",
        "ENDS",
        "RENEWS",
        "USED",
        "BOUGHT BY",
        "STATE",
    ];
    table(headings, &rows)
}

/// Where there may be more than is shown: of the one customer that was asked for always, of many only where something is
/// in the way.
fn cautions(customers: &[Customer], is_one: bool) -> Vec<String> {
    let mut cautions = Vec::new();
    for customer in customers {
        let conditions = customer.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let name = format!("{}/{}", customer.namespace().unwrap_or_default(), customer.name_any());
        match conditions.iter().find(|condition| condition.type_ == RECORDED) {
            Some(found) if found.status != "True" && (is_one || found.reason != NOTHING_SHOWN) => {
                cautions.push(printable(&format!("{name}: {}: {}", found.reason, found.message)));
            }
            None if is_one => cautions.push(format!(
                "{name}: purchases are looked for while a purchase permission is on that is not suspended, and for a day after, for the first time within the hour"
            )),
            Some(_) | None => {}
        }
    }
    let more = cautions.len().saturating_sub(CAUTIONS_MAX);
    cautions.truncate(CAUTIONS_MAX);
    if more > 0 {
        cautions.push(format!("and {more} more customers of whom not everything can be seen"));
    }
    cautions
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::args::Output;

    const TENANT: &str = "c1a0c1a0-1111-4a11-8a11-000000000001";

    fn customer(namespace: &str, purchases: &Value, recorded: (&str, &str)) -> Customer {
        serde_json::from_value(json!({
            "apiVersion": "csp-operator.dev/v1alpha1", "kind": "Customer",
            "metadata": { "name": "fabrikam", "namespace": namespace }, "spec": { "tenantId": TENANT },
            "status": { "companyName": "Fabrikam\u{1b}[31m", "purchases": purchases, "conditions": [{
                "type": RECORDED, "status": recorded.0, "reason": recorded.1, "message": "because",
                "lastTransitionTime": "2026-03-01T08:00:00Z",
            }] },
        }))
        .unwrap()
    }

    fn reservation(id: &str, bought: &str, by: &str) -> Value {
        json!({
            "id": id, "kind": "Reservation", "displayName": "VM_RI", "azureOrderId": "order", "quantity": 2, "term": "P1Y",
            "scopeType": "Shared", "purchasedAt": bought, "expiresAt": "2027-03-01T08:00:00Z", "renews": false,
            "utilizationPercent": 85, "state": "Succeeded", "purchasedBy": by, "evidence": "because",
        })
    }

    #[test]
    fn the_table_tells_each_purchase_once_newest_first() {
        let plan = json!({
            "id": "plan", "kind": "SavingsPlan", "azureOrderId": "o", "commitment": "0.5 USD Hourly", "state": "Succeeded",
            "purchasedAt": "2026-04-01T08:00:00Z", "purchasedBy": "Unknown", "evidence": "none",
        });
        let of = |by| reservation("one", "2026-03-01T08:00:00Z", by);
        let expected = "\
CUSTOMER       KIND          NAME    AMOUNT           TERM   SCOPE    BOUGHT       ENDS         RENEWS   USED   BOUGHT BY   STATE
Fabrikam[31m   SavingsPlan   -       0.5 USD Hourly   -      -        2026-04-01   -            -        -      Unknown     Succeeded
Fabrikam[31m   Reservation   VM_RI   2                P1Y    Shared   2026-03-01   2027-03-01   no       85%    Customer    Succeeded";
        for order in [["Unknown", "Customer"], ["Customer", "Unknown"]] {
            let customers = [
                customer("a", &json!([of(order[0]), plan]), ("True", "Recorded")),
                customer("b", &json!([of(order[1])]), ("True", "Recorded")),
            ];
            assert_eq!(rows(&all(&customers)), expected);
        }
    }

    #[test]
    fn programs_get_every_field_and_the_customer() {
        let known = reservation("one", "2026-03-01T08:00:00Z", "Customer");
        let entries = all(&[customer("a", &json!([known]), ("True", "Recorded"))]);
        let mut expected = known;
        expected["customer"] =
            json!({ "namespace": "a", "name": "fabrikam", "tenantId": TENANT, "companyName": "Fabrikam\u{1b}[31m" });
        let json: Value = serde_json::from_str(&structured(&entries, Output::Json).unwrap().unwrap()).unwrap();
        let yaml: Value = serde_yaml::from_str(&structured(&entries, Output::Yaml).unwrap().unwrap()).unwrap();
        assert_eq!((&json, &yaml), (&json!([expected]), &json));
    }

    #[test]
    fn it_is_said_where_there_may_be_more() {
        let nothing = json!([]);
        let of = |recorded| customer("a", &nothing, recorded);
        let (hidden, none, known) =
            (of(("Unknown", "AccessMissing")), of(("Unknown", NOTHING_SHOWN)), of(("True", "Recorded")));
        assert_eq!(
            cautions(&[hidden.clone(), none.clone(), known.clone()], false),
            ["a/fabrikam: AccessMissing: because"]
        );
        assert_eq!(cautions(&[none], true), ["a/fabrikam: NothingShown: because"]);
        assert!(cautions(&[known], true).is_empty());
        let mut unseen = hidden.clone();
        unseen.status = None;
        let said = cautions(&[unseen], true).remove(0);
        assert!(said.contains("that is not suspended"), "{said}");
        let many = vec![hidden; CAUTIONS_MAX + 3];
        assert_eq!(cautions(&many, false).len(), CAUTIONS_MAX + 1);
    }
}
