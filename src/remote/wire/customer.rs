//! Customers.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{CustomerProfile, Relationship, TenantId};

use super::{Defect, id, non_empty, text};

/// `Customer`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct CustomerWire {
    id: Option<String>,
    company_profile: Option<CompanyProfileWire>,
    relationship_to_partner: Option<String>,
    /// Worth having, and not worth losing a customer for.
    custom_domains: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompanyProfileWire {
    domain: Option<String>,
    company_name: Option<String>,
}

impl CustomerWire {
    pub(in crate::remote) fn translate(self) -> Result<(TenantId, CustomerProfile), Defect> {
        let tenant = id(self.id, "customer id")?;
        let company = self.company_profile.unwrap_or_default();
        let relationship = text(self.relationship_to_partner, "relationshipToPartner")?;
        let profile = CustomerProfile {
            company_name: non_empty(company.company_name),
            domain: non_empty(company.domain),
            custom_domains: words(self.custom_domains.as_ref()),
            relationship: if relationship.eq_ignore_ascii_case("reseller") {
                Relationship::Reseller
            } else {
                Relationship::Other(relationship)
            },
        };
        Ok((tenant, profile))
    }
}

/// The texts in a list, in lower case; none of anything else.
fn words(list: Option<&Value>) -> Vec<String> {
    let words = list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    words.map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn translate(body: Value) -> Result<(TenantId, CustomerProfile), Defect> {
        serde_json::from_value::<CustomerWire>(body).unwrap().translate()
    }

    #[test]
    fn needs_the_id_and_the_relationship_and_nothing_else() {
        let id = "c1a0c1a0-1111-4a11-8a11-000000000001";
        let (tenant, profile) = translate(json!({ "id": id, "relationshipToPartner": "Reseller" })).unwrap();
        assert_eq!(tenant.to_string(), id);
        let expected = CustomerProfile {
            company_name: None,
            domain: None,
            custom_domains: Vec::new(),
            relationship: Relationship::Reseller,
        };
        assert_eq!(profile, expected);
        let (_, profile) = translate(json!({
            "id": id, "relationshipToPartner": "advisor", "companyProfile": { "domain": "", "companyName": "Fabrikam" },
            "customDomains": ["Fabrikam.com", 5]
        }))
        .unwrap();
        assert_eq!(profile.relationship, Relationship::Other("advisor".to_owned()));
        assert_eq!((profile.company_name.as_deref(), profile.domain), (Some("Fabrikam"), None));
        assert_eq!(profile.custom_domains, ["fabrikam.com"]);
        let odd = json!({ "id": id, "relationshipToPartner": "reseller", "customDomains": "x" });
        assert!(translate(odd).unwrap().1.custom_domains.is_empty());
        assert_eq!(translate(json!({ "id": id })).unwrap_err(), "relationshipToPartner is missing");
        assert_eq!(translate(json!({ "id": "x" })).unwrap_err(), "customer id is not a GUID");
    }
}
