//! What the one on call sees: metrics and log lines.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io::Write as _};

use csp_operator::api::CustomerPurchasePermission;
use serde_json::{Value, json};

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, Scene};
use crate::stages::{Exclusive, eventually_or};

const JSON: [&str; 2] = ["--log-format", "json"];

/// The lines of decisions about the permission of a scene.
fn decisions(exclusive: &Exclusive, scene: &Scene) -> Vec<Value> {
    let log = exclusive.stage.operator.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_about = |line: &Value| {
        line["namespace"] == *scene.namespace && line["object"] == PERMISSION && line["decision"].is_string()
    };
    lines.filter(is_about).collect()
}

fn words(lines: &[Value]) -> Vec<String> {
    let word = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    lines.iter().map(|line| format!("{} {}", word(line, "decision"), word(line, "reason"))).collect()
}

#[test]
fn each_decision_is_one_line_and_none_is_written_where_nothing_changes() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&JSON);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    let granted = decisions(&exclusive, &scene);
    let told = words(&granted);
    for once in ["claim Claimed", "grant WriteAccepted", "settle InSync"] {
        assert_eq!(told.iter().filter(|line| *line == once).count(), 1, "{once}: {told:?}");
    }
    let grant = granted.iter().find(|line| line["decision"] == "grant").unwrap();
    assert_eq!((&grant["tenant"], &grant["kind"]), (&json!(scene.tenant()), &json!("CustomerPurchasePermission")));
    let shown = scene.until("the record is there", |found| {
        found.status.as_ref().is_some_and(|status| !status.recent_activity.is_empty())
    });
    let record = shown.status.unwrap().recent_activity.remove(0);
    assert_eq!(grant["correlationId"].as_str(), record.correlation_id.as_deref(), "as in Partner Center's log");

    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.until("it was looked at anew", |found| {
        let asked = found.metadata.annotations.as_ref().and_then(|all| all.get("csp-operator.dev/reconcile").cloned());
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at == asked)
    });
    assert_eq!(words(&decisions(&exclusive, &scene)), told, "nothing has changed");

    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    let after = words(&decisions(&exclusive, &scene)).split_off(told.len());
    for once in ["revoke WriteAccepted", "release Released"] {
        assert_eq!(after.iter().filter(|line| *line == once).count(), 1, "{once}: {after:?}");
    }
}

/// Families of a scrape: the names of its `# TYPE` lines.
fn families(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn a_scrape_shows_how_the_fleet_stands_under_names_that_are_documented() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    let shows = |line: &str| {
        let look = || exclusive.served("metrics").lines().any(|shown| shown == line).then_some(());
        eventually_or(line, look, || exclusive.served("metrics"));
    };
    shows(r#"csp_operator_objects{kind="CustomerPurchasePermission",state="ready",reason="InSync"} 1"#);
    shows(r#"csp_operator_permissions_on{switch="azureReservations"} 1"#);
    shows(r#"csp_operator_permissions_on{switch="azureSavingsPlans"} 0"#);
    shows(r#"csp_operator_permission_writes_total{direction="grant",result="ok"} 1"#);
    shows("csp_operator_revoke_duration_seconds_count 0");
    scene.change(&json!({ "azureReservations": "Deny" }));
    shows(r#"csp_operator_permission_writes_total{direction="revoke",result="ok"} 1"#);
    shows("csp_operator_revoke_duration_seconds_count 1");
    shows(r#"csp_operator_permissions_on{switch="azureReservations"} 0"#);
    shows("csp_operator_revokes_due 0");
    let text = exclusive.served("metrics");
    assert!(!text.contains("csp_operator_activity_feed_last_read_timestamp_seconds 0\n"), "{text}");

    let page = fs::read_to_string(stage::root().join("docs/monitoring.md")).unwrap();
    let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    for family in families(&text) {
        let is_row = |row: &&str| row.strip_suffix("_total").or(row.strip_suffix("_info")).unwrap_or(row) == family;
        assert!(rows.iter().any(is_row), "docs/monitoring.md has no row for {family}");
    }
    lint(&text);
}

/// What Prometheus' own linter says of a scrape, where that tool has been built (`make tools`).
fn lint(open_metrics: &str) {
    let promtool = stage::root().join("target/tools/promtool");
    if !Path::new(&promtool).exists() {
        return;
    }
    // It reads the older text format, in which a counter's family has the suffix of its samples, as an info's has.
    let suffix = |line: &str| {
        let name = line.split(' ').nth(2).unwrap_or_default().to_owned();
        let type_of = format!("# TYPE {name} ");
        let type_ = open_metrics.lines().find_map(|line| line.strip_prefix(&type_of)).unwrap_or_default();
        match type_ {
            "counter" => line.replacen(&name, &format!("{name}_total"), 1),
            "info" => line.replacen(&name, &format!("{name}_info"), 1).replace(" info", " gauge"),
            _ => line.to_owned(),
        }
    };
    let is_kept = |line: &&str| !line.starts_with("# UNIT") && *line != "# EOF";
    let lines = open_metrics.lines().filter(is_kept);
    let text: String =
        lines.map(|line| if line.starts_with("# ") { suffix(line) } else { line.to_owned() } + "\n").collect();
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{text}");
}
