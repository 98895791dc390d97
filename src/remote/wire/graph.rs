//! Microsoft Graph's words.

use serde::Deserialize;

use super::{Defect, id, non_empty};
use crate::model::{DirectoryUser, ObjectId};

/// One group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct GroupWire {
    id: Option<String>,
    display_name: Option<String>,
}

impl GroupWire {
    /// Its id and name. Graph leaves out the name of a group that may not be read.
    pub(in crate::remote) fn translate(self) -> Result<(ObjectId, Option<String>), Defect> {
        Ok((id(self.id, "id")?, non_empty(self.display_name)))
    }
}

/// One user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct UserWire {
    id: Option<String>,
    user_type: Option<String>,
    account_enabled: Option<bool>,
}

impl UserWire {
    /// The user. Graph leaves out what may not be read: then it is neither known to be a guest nor to be disabled.
    pub(in crate::remote) fn translate(self) -> Result<DirectoryUser, Defect> {
        Ok(DirectoryUser {
            id: id(self.id, "id")?,
            is_guest: self.user_type.is_some_and(|kind| kind.eq_ignore_ascii_case("guest")),
            is_enabled: self.account_enabled,
        })
    }
}
