//! The Helm chart and the operator agree. What the chart renders is checked by `make lint`, with Helm itself.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

/// Variables that the chart sets itself, from values of their own or because they depend on the pod.
const OWN: [&str; 4] = ["CSP_CA_FILE", "CSP_FEDERATED_TOKEN_FILE", "CSP_IDENTITY", "CSP_NAMESPACE"];

/// As the chart makes them of its settings: `maxGrantsPerHour` is `CSP_MAX_GRANTS_PER_HOUR`.
fn variable(setting: &str) -> String {
    let part = |letter: char| if letter.is_uppercase() { format!("_{letter}") } else { letter.to_string() };
    format!("CSP_{}", setting.chars().map(part).collect::<String>().to_uppercase())
}

/// The default of this variable in the help of `csp-operator run`; options without one have none.
fn default<'a>(help: &'a str, variable: &str) -> Option<&'a str> {
    let after = help.split_once(&format!("[env: {variable}="))?.1;
    let option = after.split("\n      --").next()?;
    option.split_once("[default: ")?.1.split(']').next()
}

#[test]
fn every_option_of_the_operator_is_a_setting_of_the_chart_of_its_type() {
    let help = Command::new(env!("CARGO_BIN_EXE_csp-operator")).env_clear().args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let variables = help.split("[env: ").skip(1).filter_map(|rest| rest.split('=').next());
    let expected: BTreeSet<_> = variables.map(str::to_owned).filter(|one| !OWN.contains(&one.as_str())).collect();
    let schema = fs::read_to_string(stage::root().join("manifests/chart/values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let settings = schema["properties"]["settings"]["properties"].as_object().unwrap();
    let found: BTreeSet<_> = settings.keys().map(|setting| variable(setting)).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let superfluous: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "properties.settings of manifests/chart/values.schema.json lacks {missing:?} and has {superfluous:?} too many"
    );
    for (setting, schema) in settings {
        let of_type = match default(&help, &variable(setting)) {
            None => ["boolean", "string"].contains(&schema["type"].as_str().unwrap()),
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => schema["type"] == "integer",
            Some(_) => schema["type"] == "string",
        };
        assert!(of_type, "{setting} has another type in manifests/chart/values.schema.json: {schema}");
    }
}
