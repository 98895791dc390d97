//! Partner Center's fault codes: the one table of what they mean.
//!
//! From <https://learn.microsoft.com/en-us/partner-center/developer/error-codes>, the self-serve policy pages, the
//! notices on sign-in, and what others have seen. A code counts only together with its status: `400` and `2006`, for
//! one, stand for different things under different statuses. What is not in the table goes by status alone.

use super::Operation;
use super::fault::Fault;

/// Where a code has its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Wherever it occurs.
    Anywhere,
    /// Where the address names a customer.
    BelowCustomer,
    /// Where a policy is created, replaced or deleted.
    Writes,
}

impl At {
    fn holds(self, operation: Operation) -> bool {
        match self {
            Self::Anywhere => true,
            Self::BelowCustomer => operation.is_below_customer(),
            Self::Writes => operation.is_write(),
        }
    }
}

/// Status, code, where, meaning. The first row that fits counts.
pub(super) const CODES: [(u16, &str, At, Fault); 36] = {
    use At::{Anywhere, BelowCustomer, Writes};
    [
        (400, "2055", Anywhere, Fault::StaleEtag),
        (400, "3000", Anywhere, Fault::InvalidProperty),
        (400, "800002", Anywhere, Fault::InvalidRequest),
        (400, "900118", BelowCustomer, Fault::CustomerNotOurs),
        (400, "900118", Anywhere, Fault::InvalidRequest),
        (401, "400", Anywhere, Fault::Unauthorized),
        (401, "800001", Anywhere, Fault::Unauthorized),
        (401, "900420", Anywhere, Fault::WrongAudience),
        (401, "900421", Anywhere, Fault::MfaRequired),
        (401, "10001", Anywhere, Fault::MfaRequired),
        (403, "20002", Anywhere, Fault::CustomerNotOurs),
        (403, "900159", Anywhere, Fault::CustomerNotOurs),
        (403, "900329", Anywhere, Fault::AppOnlyToken),
        (403, "900309", Anywhere, Fault::ConditionalAccess),
        (403, "900124", Anywhere, Fault::PartnerAgreementMissing),
        (403, "900149", Anywhere, Fault::ProgramNotActive),
        (403, "800039", Anywhere, Fault::ProgramNotActive),
        (403, "900123", Anywhere, Fault::ResellerAgreementMissing),
        (403, "13605", Anywhere, Fault::CustomerAgreementMissing),
        // All of these have been seen or are documented for a wrong role; for a read they may mean anything.
        (403, "900150", Writes, Fault::NotAdminAgent),
        (403, "900308", Writes, Fault::NotAdminAgent),
        (403, "2032", Writes, Fault::NotAdminAgent),
        (403, "1002", Writes, Fault::NotAdminAgent),
        (403, "600006", Writes, Fault::NotAdminAgent),
        (404, "60003", Anywhere, Fault::CustomerNotOurs),
        (404, "600039", Anywhere, Fault::PolicyNotFound),
        (404, "600040", Anywhere, Fault::PolicyNotFound),
        (404, "1000", Anywhere, Fault::NotFound),
        (404, "20000", Anywhere, Fault::NotFound),
        (404, "20003", Anywhere, Fault::NotFound),
        (404, "800111", Anywhere, Fault::NotFound),
        (409, "600041", Anywhere, Fault::PolicyExists),
        (409, "800060", Anywhere, Fault::Busy),
        (409, "800064", Anywhere, Fault::Busy),
        (409, "800082", Anywhere, Fault::Busy),
        (409, "900278", Anywhere, Fault::Busy),
    ]
};

/// What `code` under `status` means for `operation`, if the table knows it.
pub(super) fn meaning(operation: Operation, status: u16, code: &str) -> Option<Fault> {
    let fits = |row: &&(u16, &str, At, Fault)| row.0 == status && row.1 == code && row.2.holds(operation);
    CODES.iter().find(fits).map(|row| row.3)
}
