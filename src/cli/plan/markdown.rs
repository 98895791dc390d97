//! A plan as a comment on a pull request.
//!
//! Whatever comes from manifests or from Partner Center stands in `code` elements, letter by letter encoded where it is not
//! plain: nothing in it is taken for Markdown or HTML, ends a table cell, or mentions anybody.

use std::fmt::Write as _;

use super::super::terminal::is_unseen;
use super::declared::Removed;
use super::report::{Permission, Report, Switch};
use crate::plan::permission::Change;

/// By which a pipeline finds its own earlier comment.
const MARKER: &str = "<!-- kubectl csp plan -->";

/// Longest comment without its notes, in bytes: GitHub takes 65,536 characters.
const BYTES_MAX: usize = 58_000;

/// Longest of the notes, of which there are at most five: some name all customers that they are about.
const NOTE_BYTES_MAX: usize = 1_200;

/// The whole comment.
pub(super) fn markdown(report: &Report) -> String {
    let mut text = format!("{MARKER}\n### Purchase permissions: {}\n", report.sentence());
    let shown: Vec<_> = report
        .permissions
        .iter()
        .filter(|one| !one.unread.is_empty() || one.switches.iter().any(|switch| !is_quiet(switch)))
        .collect();
    removed(&mut text, &report.removed);
    if shown.is_empty() {
        let _ = writeln!(text, "\n{}", report.nothing().unwrap_or_default());
    } else {
        text.push_str(
            "\n| | Customer | Permission | Switch | Now | Declared |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        let mut left_out = 0;
        for permission in &shown {
            let rows: String =
                permission.switches.iter().filter(|one| !is_quiet(one)).map(|one| row(permission, one)).collect();
            if text.len() + rows.len() > BYTES_MAX / 2 {
                left_out += 1;
            } else {
                text.push_str(&rows);
            }
        }
        tell_left_out(&mut text, left_out);
    }
    details(&mut text, &shown);
    text.push_str("\n<details><summary>What this plan leaves out</summary>\n\n");
    for note in &report.notes {
        let _ = writeln!(text, "- {}", code_within(note, NOTE_BYTES_MAX));
    }
    text.push_str("\n</details>\n");
    text
}

/// What is turned off by deletion.
fn removed(text: &mut String, removed: &[Removed]) {
    if removed.is_empty() {
        return;
    }
    text.push_str("\n**No longer declared**, and turned off when the objects are deleted in the cluster:\n\n");
    let mut left_out = 0;
    for Removed { namespace, name, switches } in removed {
        let line = format!("- ➖ {} {}\n", code(&format!("{namespace}/{name}")), switches.join(", "));
        if text.len() + line.len() > BYTES_MAX / 4 { left_out += 1 } else { text.push_str(&line) }
    }
    tell_left_out(text, left_out);
}

/// Why something stays other than declared, folded.
fn details(text: &mut String, shown: &[&Permission]) {
    let mut lines = Vec::new();
    for permission in shown {
        let mut told: Vec<&str> = Vec::new();
        let messages = permission.switches.iter().filter(|one| !is_quiet(one)).filter_map(|one| one.message.as_deref());
        for message in messages.chain(permission.unread.iter().map(String::as_str)) {
            if !told.contains(&message) {
                told.push(message);
                lines.push(format!("- {}: {}\n", name(permission), code(message)));
            }
        }
    }
    if lines.is_empty() {
        return;
    }
    text.push_str("\n<details><summary>What stands in the way</summary>\n\n");
    let mut left_out = 0;
    for line in lines {
        if text.len() + line.len() > BYTES_MAX { left_out += 1 } else { text.push_str(&line) }
    }
    tell_left_out(text, left_out);
    text.push_str("\n</details>\n");
}

fn tell_left_out(text: &mut String, count: usize) {
    if count > 0 {
        let _ = writeln!(text, "\n{count} more are left out here; the output as text or JSON has all of them.");
    }
}

/// What nobody needs to look at in a review.
fn is_quiet(switch: &Switch) -> bool {
    switch.change == Change::Kept || switch.reason.as_deref() == Some("Unmanaged")
}

fn row(permission: &Permission, switch: &Switch) -> String {
    let sign = match switch.change {
        Change::Grant => "➕ on",
        Change::Revoke => "➖ off",
        Change::Correct => "↩ back",
        Change::Blocked => "⛔ held up",
        Change::Unknown => "❓ not known",
        Change::Left | Change::Kept => "left",
    };
    let customer = permission.company_name.as_deref().unwrap_or(&permission.customer);
    let reason = switch.reason.as_deref().map(|reason| format!(" {}", code(reason))).unwrap_or_default();
    format!(
        "| {sign}{reason} | {} | {} | {} | {} | {:?} |\n",
        code(customer),
        name(permission),
        switch.field,
        switch.now,
        switch.wish
    )
}

fn name(permission: &Permission) -> String {
    code(&format!("{}/{}", permission.namespace, permission.name))
}

/// Text from outside.
fn code(text: &str) -> String {
    code_within(text, usize::MAX)
}

/// The same, ending in `…` where it would need more than about so many bytes.
fn code_within(text: &str, bytes: usize) -> String {
    let mut encoded = String::from("<code>");
    for letter in text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }) {
        if encoded.len() >= bytes {
            encoded.push('…');
            break;
        }
        // It could show a reviewer something else.
        if is_unseen(letter) {
            encoded.push('\u{fffd}');
        } else if letter.is_alphanumeric() || " ,.-/;".contains(letter) {
            encoded.push(letter);
        } else {
            let _ = write!(encoded, "&#{};", u32::from(letter));
        }
    }
    encoded.push_str("</code>");
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Mode, PurchaseSwitch};
    use crate::plan::ObjectName;
    use crate::plan::permission::{SwitchOutlook, Why};
    use crate::reconcile::preview::Foreseen;

    #[test]
    fn nothing_from_outside_is_taken_for_markdown() {
        for text in ["a|b", "`x`", "</code><script>", "@everyone #1", "[x](http://y)", "*b* _i_ ~s~", "a\n\n# h", "\\"]
        {
            let encoded = code(text);
            let inside = encoded.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>")).unwrap();
            let entities = inside.replace("&#", "");
            assert!(
                !entities.contains(['|', '`', '<', '>', '@', '#', '[', '(', '*', '_', '~', '\n', '\\', ':']),
                "{encoded}"
            );
        }
        assert_eq!(code("a \u{202e}b"), "<code>a \u{fffd}b</code>");
        assert_eq!(code("Müller & Co"), "<code>Müller &#38; Co</code>");
    }

    #[test]
    fn the_comment_is_one_that_github_takes_however_much_there_is_to_say() {
        let why = Why { reason: "OwnerMissing".to_owned(), message: "<@>".repeat(300) };
        let switch = SwitchOutlook {
            switch: crate::model::Switch::Reservations,
            wish: PurchaseSwitch::Allow,
            is_on: Some(false),
            change: Change::Blocked,
            why: Some(why),
        };
        let permission = |index: usize| Foreseen {
            name: ObjectName { namespace: "n".to_owned(), name: format!("p{index}") },
            customer: "c".to_owned(),
            tenant: None,
            company: Some("\u{1f600}".repeat(200)),
            mode: Mode::Enforce,
            switches: vec![switch.clone()],
            writes: Vec::new(),
            is_first_grant: true,
            conditions: Vec::new(),
            unread: Vec::new(),
        };
        for count in [1, 30, 500] {
            let foreseen: Vec<_> = (0..count).map(permission).collect();
            let unplanned = vec![format!("azurePlan ({})", "n/customer, ".repeat(5_000)); 3];
            let text = markdown(&Report::new(&foreseen, None, unplanned, &[]));
            assert!(text.len() < 65_536, "{}", text.len());
            assert!(text.contains("/customer, n/…</code>") || text.contains("…</code>\n- "), "{text}");
            assert!(text.ends_with("are not looked at</code>\n\n</details>\n"), "{text}");
        }
    }
}
