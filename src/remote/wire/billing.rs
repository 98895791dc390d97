//! Billing accounts of Azure, and what customers see of their charges.

use serde::{Deserialize, Serialize};

use crate::model::{BillingAccount, ChargeView};

use super::{Defect, required, text};

/// What Azure calls the agreement of a partner in the Cloud Solution Provider programme.
const PARTNER_AGREEMENT: &str = "MicrosoftPartnerAgreement";

/// One page of billing accounts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct AccountPage {
    value: Option<Vec<AccountWire>>,
    next_link: Option<String>,
}

/// `BillingAccount`
#[derive(Debug, Deserialize)]
pub(in crate::remote) struct AccountWire {
    name: Option<String>,
    properties: Option<AccountProperties>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountProperties {
    agreement_type: Option<String>,
}

impl AccountPage {
    /// The accounts and the address of the next page.
    pub(in crate::remote) fn open(self) -> Result<(Vec<AccountWire>, Option<String>), Defect> {
        Ok((required(self.value, "value")?, self.next_link.filter(|link| !link.is_empty())))
    }
}

impl AccountWire {
    /// The account, if it is one of a partner.
    pub(in crate::remote) fn partners(self) -> Result<Option<BillingAccount>, Defect> {
        let agreement = self.properties.and_then(|properties| properties.agreement_type);
        if !agreement.is_some_and(|agreement| agreement.eq_ignore_ascii_case(PARTNER_AGREEMENT)) {
            return Ok(None);
        }
        let name = text(self.name, "billingAccount name")?;
        name.parse().map(Some).map_err(|_| "billingAccount name is none that can stand in an address".to_owned())
    }
}

/// The policy of a customer below a billing account.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::remote) struct ChargesWire {
    properties: Option<ChargesProperties>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChargesProperties {
    view_charges: Option<String>,
    #[serde(skip_serializing)]
    provisioning_state: Option<String>,
}

impl ChargesWire {
    /// What is sent to have it so; `None` for what cannot be asked for.
    pub(in crate::remote) fn asking(view: ChargeView) -> Option<Self> {
        let word = match view {
            ChargeView::Visible => "Allowed",
            ChargeView::Hidden => "NotAllowed",
            ChargeView::Other => return None,
        };
        let view_charges = Some(word.to_owned());
        Some(Self { properties: Some(ChargesProperties { view_charges, provisioning_state: None }) })
    }

    /// What the customer sees.
    pub(in crate::remote) fn view(&self) -> Result<ChargeView, Defect> {
        let properties = self.properties.as_ref().ok_or("policy properties is missing")?;
        let word = text(properties.view_charges.clone(), "viewCharges")?;
        Ok(match word.to_ascii_lowercase().as_str() {
            "allowed" => ChargeView::Visible,
            "notallowed" => ChargeView::Hidden,
            _ => ChargeView::Other,
        })
    }

    /// Whether it says that it is so already. The older versions say nothing of it, and are done when they answer.
    pub(in crate::remote) fn is_settled(&self) -> bool {
        let state = self.properties.as_ref().and_then(|properties| properties.provisioning_state.as_deref());
        state.is_none_or(|state| state.eq_ignore_ascii_case("Succeeded"))
    }
}

/// How something is getting on that takes its time, where that is told in the body (`Azure-AsyncOperation`).
#[derive(Debug, Default, Deserialize)]
pub(in crate::remote) struct OperationWire {
    status: Option<String>,
}

impl OperationWire {
    /// Whether it says that it is not over. What says nothing is the thing itself.
    pub(in crate::remote) fn is_running(&self) -> bool {
        let over = ["Succeeded", "Failed", "Canceled"];
        self.status.as_deref().is_some_and(|status| !over.iter().any(|word| status.eq_ignore_ascii_case(word)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_accounts_of_partners_count() {
        let account = |body: Value| serde_json::from_value::<AccountWire>(body).unwrap().partners();
        let of = |agreement: &str| json!({ "name": "a:b_2019-05-31", "properties": { "agreementType": agreement } });
        assert_eq!(account(of("microsoftpartneragreement")), Ok(Some("a:b_2019-05-31".parse().unwrap())));
        assert_eq!(account(of("MicrosoftCustomerAgreement")), Ok(None));
        assert_eq!(account(json!({ "name": "a" })), Ok(None));
        let nameless = json!({ "properties": { "agreementType": "MicrosoftPartnerAgreement" } });
        assert_eq!(account(nameless).unwrap_err(), "billingAccount name is missing");
        assert!(
            account(json!({ "name": "../a", "properties": { "agreementType": "MicrosoftPartnerAgreement" } })).is_err()
        );
    }

    #[test]
    fn words_that_are_not_known_are_neither_visible_nor_hidden() {
        let view = |word: &str| {
            serde_json::from_value::<ChargesWire>(json!({ "properties": { "viewCharges": word } })).unwrap().view()
        };
        assert_eq!(view("ALLOWED"), Ok(ChargeView::Visible));
        assert_eq!(view("NotAllowed"), Ok(ChargeView::Hidden));
        assert_eq!(view("Other"), Ok(ChargeView::Other));
        assert_eq!(view("").unwrap_err(), "viewCharges is missing");
    }

    #[test]
    fn what_is_not_over_says_so() {
        let is_running = |body: Value| serde_json::from_value::<OperationWire>(body).unwrap().is_running();
        assert!(is_running(json!({ "status": "InProgress" })) && is_running(json!({ "status": "Pending" })));
        assert!(!is_running(json!({ "status": "succeeded" })) && !is_running(json!({ "status": "Failed" })));
        assert!(!is_running(json!({ "properties": {} })));
    }
}
