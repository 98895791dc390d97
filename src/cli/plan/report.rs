//! What a plan says, for programs as for people. Field names are an interface: they are described in docs/kubectl-csp.md.

use std::path::PathBuf;

use serde::Serialize;

use super::declared::Removed;
use crate::api::{Mode, PurchaseSwitch};
use crate::plan::permission::{Change, SwitchOutlook};
use crate::reconcile::preview::Foreseen;

/// First grants that the operator lets through within an hour, unless it is told otherwise.
const GRANTS_PER_HOUR: usize = 50;

/// One plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Report {
    api_version: &'static str,
    kind: &'static str,
    pub(in crate::cli) summary: Summary,
    pub(in crate::cli) permissions: Vec<Permission>,
    /// What is turned off because it is no longer declared; always empty without the manifests of before.
    pub(in crate::cli) removed: Vec<Removed>,
    /// What the operator may write beside, which is not planned; sentences.
    pub(in crate::cli) unplanned: Vec<String>,
    /// The same, and what nobody can know beforehand; sentences.
    pub(in crate::cli) notes: Vec<String>,
}

/// How many switches come to what.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Summary {
    granted: usize,
    revoked: usize,
    corrected: usize,
    blocked: usize,
    unknown: usize,
    left: usize,
    unchanged: usize,
}

/// What comes of one permission.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Permission {
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) name: String,
    /// Name of its Customer.
    pub(in crate::cli) customer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) company_name: Option<String>,
    pub(in crate::cli) mode: Mode,
    pub(in crate::cli) switches: Vec<Switch>,
    /// The writes to Partner Center, in words and in this order.
    pub(in crate::cli) writes: Vec<String>,
    /// The conditions that the operator would show.
    conditions: Vec<Condition>,
    /// What could not be read; sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) unread: Vec<String>,
}

/// What comes of one switch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Switch {
    /// Of the spec.
    #[serde(rename = "switch")]
    pub(in crate::cli) field: &'static str,
    pub(in crate::cli) wish: PurchaseSwitch,
    /// `Allow`, `Deny`, or `Unknown`.
    pub(in crate::cli) now: &'static str,
    #[serde(serialize_with = "as_word")]
    pub(in crate::cli) change: Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) message: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
    message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn as_word<S: serde::Serializer>(change: &Change, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(word(*change))
}

/// As programs are told it.
pub(in crate::cli) fn word(change: Change) -> &'static str {
    match change {
        Change::Grant => "Grant",
        Change::Revoke => "Revoke",
        Change::Correct => "Correct",
        Change::Blocked => "Blocked",
        Change::Unknown => "Unknown",
        Change::Left => "Left",
        Change::Kept => "Unchanged",
    }
}

impl Report {
    /// `removed` is `None` where nobody has said what was declared before; `gone` are paths that do not exist any more.
    pub(in crate::cli) fn new(
        foreseen: &[Foreseen],
        removed: Option<Vec<Removed>>,
        unplanned: Vec<String>,
        gone: &[PathBuf],
    ) -> Self {
        let mut summary = Summary::default();
        for switch in foreseen.iter().flat_map(|one| &one.switches) {
            *summary.field(switch.change) += 1;
        }
        let mut notes = unplanned.clone();
        notes.extend(gone.iter().map(|path| format!("{} does not exist: nothing is declared there", path.display())));
        notes.extend(cannot_know(foreseen, removed.as_deref()));
        Self {
            api_version: "csp-operator.dev/plan-v1",
            kind: "Plan",
            summary,
            permissions: foreseen.iter().map(permission).collect(),
            removed: removed.unwrap_or_default(),
            unplanned,
            notes,
        }
    }

    /// Switches that are turned.
    pub(in crate::cli) fn changes(&self) -> usize {
        self.summary.writes() + self.removed.iter().map(|one| one.switches.len()).sum::<usize>()
    }

    /// All counts, in one sentence.
    pub(in crate::cli) fn sentence(&self) -> String {
        match self.changes() - self.summary.writes() {
            0 => self.summary.sentence(),
            count => format!("{}; {count} to turn off by deletion", self.summary.sentence()),
        }
    }

    /// What there is to say where no switch is turned.
    pub(in crate::cli) fn nothing(&self) -> Option<&'static str> {
        match (self.changes(), self.unplanned.is_empty()) {
            (0, _) if self.permissions.iter().any(Permission::is_open) => {
                Some("Whether a switch would be turned is not known: not everything could be read.")
            }
            (0, true) => Some("No switch would be turned."),
            (0, false) => Some("No switch would be turned; what may be written beside is in the notes."),
            _ => None,
        }
    }

    /// Permissions of which something could not be read.
    pub(in crate::cli) fn incomplete(&self) -> usize {
        self.permissions.iter().filter(|one| !one.unread.is_empty()).count()
    }
}

impl Permission {
    /// Whether a switch may be turned once what could not be read is known.
    fn is_open(&self) -> bool {
        let is_open = |switch: &Switch| matches!(switch.change, Change::Unknown | Change::Blocked);
        !self.unread.is_empty() && self.switches.iter().any(is_open)
    }
}

impl Summary {
    fn field(&mut self, change: Change) -> &mut usize {
        match change {
            Change::Grant => &mut self.granted,
            Change::Revoke => &mut self.revoked,
            Change::Correct => &mut self.corrected,
            Change::Blocked => &mut self.blocked,
            Change::Unknown => &mut self.unknown,
            Change::Left => &mut self.left,
            Change::Kept => &mut self.unchanged,
        }
    }

    pub(in crate::cli) fn count(&self, change: Change) -> usize {
        match change {
            Change::Grant => self.granted,
            Change::Revoke => self.revoked,
            Change::Correct => self.corrected,
            Change::Blocked => self.blocked,
            Change::Unknown => self.unknown,
            Change::Left => self.left,
            Change::Kept => self.unchanged,
        }
    }

    /// Switches that are written.
    pub(in crate::cli) fn writes(&self) -> usize {
        Change::ALL.into_iter().filter(|change| change.is_write()).map(|change| self.count(change)).sum()
    }

    /// In one sentence; nothing that there is none of, but for what would be written.
    pub(in crate::cli) fn sentence(&self) -> String {
        let parts = Change::ALL.into_iter().filter_map(|change| {
            let count = self.count(change);
            let what = match change {
                Change::Grant => "to turn on",
                Change::Revoke => "to turn off",
                Change::Correct => "to turn back",
                Change::Blocked => "held up",
                Change::Unknown => "unknown",
                Change::Left => "left as they are",
                Change::Kept => "as declared",
            };
            (count > 0 || matches!(change, Change::Grant | Change::Revoke)).then(|| format!("{count} {what}"))
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

fn permission(foreseen: &Foreseen) -> Permission {
    let Foreseen { name, customer, tenant, company, mode, switches, writes, is_first_grant: _, conditions, unread } =
        foreseen;
    Permission {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        customer: customer.clone(),
        tenant_id: tenant.map(|tenant| tenant.to_string()),
        company_name: company.clone(),
        mode: *mode,
        switches: switches.iter().map(switch).collect(),
        writes: writes.iter().map(ToString::to_string).collect(),
        conditions: conditions
            .iter()
            .map(|condition| Condition {
                type_: condition.type_.clone(),
                status: condition.status.clone(),
                reason: condition.reason.clone(),
                message: condition.message.clone(),
            })
            .collect(),
        unread: unread.clone(),
    }
}

fn switch(outlook: &SwitchOutlook) -> Switch {
    Switch {
        field: outlook.switch.field(),
        wish: outlook.wish,
        now: match outlook.is_on {
            Some(true) => "Allow",
            Some(false) => "Deny",
            None => "Unknown",
        },
        change: outlook.change,
        reason: outlook.why.as_ref().map(|why| why.reason.clone()),
        message: outlook.why.as_ref().map(|why| why.message.clone()),
    }
}

fn cannot_know(foreseen: &[Foreseen], removed: Option<&[Removed]>) -> Vec<String> {
    let first = foreseen.iter().filter(|one| one.is_first_grant).count();
    let brake = (first > GRANTS_PER_HOUR).then(|| {
        format!(
            "{first} customers would be granted something for the first time: an operator lets {GRANTS_PER_HOUR} of them through in an hour, unless --max-grants-per-hour says otherwise"
        )
    });
    let deleted = match removed {
        Some(_) => "",
        None => {
            " or whose manifests have been deleted (deletionPolicy Revoke, the default, turns off what they manage)"
        }
    };
    let objects = format!(
        "planned from these files and from what Partner Center and Azure say now: objects in a cluster that mean the same customers{deleted}, who turned a switch, and what an operator has done before are not looked at"
    );
    brake.into_iter().chain([objects]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ObjectName;

    #[test]
    fn that_no_switch_would_be_turned_is_said_only_where_it_is_known() {
        let nothing = |change: Change, unread: &[&str]| {
            let foreseen = Foreseen {
                name: ObjectName { namespace: "n".to_owned(), name: "p".to_owned() },
                customer: "c".to_owned(),
                tenant: None,
                company: None,
                mode: Mode::Enforce,
                switches: vec![SwitchOutlook {
                    switch: crate::model::Switch::Reservations,
                    wish: PurchaseSwitch::Allow,
                    is_on: None,
                    change,
                    why: None,
                }],
                writes: Vec::new(),
                is_first_grant: false,
                conditions: Vec::new(),
                unread: unread.iter().map(ToString::to_string).collect(),
            };
            Report::new(&[foreseen], None, Vec::new(), &[]).nothing().map(|text| text.split(' ').next().unwrap())
        };
        assert_eq!(nothing(Change::Kept, &[]), Some("No"));
        assert_eq!(nothing(Change::Blocked, &[]), Some("No"));
        assert_eq!(nothing(Change::Kept, &["the owners"]), Some("No"));
        assert_eq!(nothing(Change::Unknown, &["the policy"]), Some("Whether"));
        assert_eq!(nothing(Change::Blocked, &["the owners"]), Some("Whether"));
        assert_eq!(nothing(Change::Grant, &[]), None);
    }
}
