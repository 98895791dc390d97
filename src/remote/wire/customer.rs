//! Customers.

use serde::Deserialize;

use crate::model::{CustomerProfile, Relationship, TenantId};

use super::{Defect, id, non_empty, text};

/// `Customer`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct CustomerWire {
    id: Option<String>,
    company_profile: Option<CompanyProfileWire>,
    relationship_to_partner: Option<String>,
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
            relationship: if relationship.eq_ignore_ascii_case("reseller") {
                Relationship::Reseller
            } else {
                Relationship::Other(relationship)
            },
        };
        Ok((tenant, profile))
    }
}
