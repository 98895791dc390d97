//! A plan for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::super::terminal::printable;
use super::declared::Removed;
use super::report::{Permission, Report, Switch};
use crate::api::{Mode, PurchaseSwitch};
use crate::plan::permission::Change;

/// The whole plan. Unless `show_unchanged`, permissions of which every switch is as declared are only counted.
pub(super) fn text(report: &Report, show_unchanged: bool) -> String {
    let mut text = String::new();
    let is_shown = |one: &&Permission| {
        show_unchanged || !one.unread.is_empty() || one.switches.iter().any(|switch| switch.change != Change::Kept)
    };
    for permission in report.permissions.iter().filter(is_shown) {
        let _ = writeln!(text, "{}\n", block(permission));
    }
    let bold = Style::new().bold();
    for Removed { namespace, name, switches } in &report.removed {
        let _ = writeln!(text, "{bold}{}/{}{bold:#}   no longer declared", printable(namespace), printable(name));
        let style = color(AnsiColor::Red);
        for switch in switches {
            let _ =
                writeln!(text, "  {style}- {switch:<17} turned off when the object is deleted in the cluster{style:#}");
        }
        text.push('\n');
    }
    let _ = write!(text, "{bold}Plan:{bold:#} {}.", report.sentence());
    if let Some(nothing) = report.nothing() {
        let _ = write!(text, " {nothing}");
    }
    for note in &report.notes {
        let _ = write!(text, "\nNote: {}.", printable(note));
    }
    text
}

fn block(permission: &Permission) -> String {
    let Permission { namespace, name, customer, tenant_id, company_name, mode, switches, writes: _, unread, .. } =
        permission;
    let company = company_name.as_deref().map(|company| format!("{}, ", printable(company))).unwrap_or_default();
    let tenant = tenant_id.as_deref().map(|tenant| format!(", tenant {tenant}")).unwrap_or_default();
    let bold = Style::new().bold();
    let mut text = format!(
        "{bold}{}/{}{bold:#}   {company}Customer {}{tenant}",
        printable(namespace),
        printable(name),
        printable(customer)
    );
    if *mode != Mode::Enforce {
        let _ = write!(text, " [{mode:?}]");
    }
    for switch in switches {
        let _ = write!(text, "\n{}", line(switch));
    }
    // Often one reason holds up both.
    let mut told: Vec<&str> = Vec::new();
    for switch in switches.iter().filter(|switch| switch.reason.as_deref() != Some("Unmanaged")) {
        if let Some(message) = switch.message.as_deref().filter(|message| !told.contains(message)) {
            told.push(message);
        }
    }
    // What could not be read often is what holds up.
    for message in unread {
        if !told.contains(&message.as_str()) {
            told.push(message);
        }
    }
    for message in told.into_iter().filter(|message| !message.is_empty()) {
        let _ = write!(text, "\n      {}", printable(message));
    }
    text
}

fn line(switch: &Switch) -> String {
    let (sign, style, what) = match switch.change {
        Change::Grant => ("+", color(AnsiColor::Green), "turned on"),
        Change::Revoke => ("-", color(AnsiColor::Red), "turned off"),
        Change::Correct => ("~", color(AnsiColor::Yellow), "turned back"),
        Change::Blocked => ("!", color(AnsiColor::Yellow), "held up"),
        Change::Unknown => ("?", color(AnsiColor::Magenta), "not known"),
        Change::Left => (" ", Style::new().dimmed(), "left as it is"),
        Change::Kept => (" ", Style::new().dimmed(), "as declared"),
    };
    let wish = match switch.wish {
        PurchaseSwitch::Allow => "Allow",
        PurchaseSwitch::Deny => "Deny",
        PurchaseSwitch::Unmanaged | PurchaseSwitch::Unknown => switch.now,
    };
    let now = if switch.now == "Unknown" { "?" } else { switch.now };
    let states = if switch.now == wish { now.to_owned() } else { format!("{now} -> {wish}") };
    let reason = switch.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("  {style}{sign} {:<17} {states:<14} {what}{reason}{style:#}", switch.field)
}

fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(color.into()))
}
