//! `docs/simulator.md` keeps its word.

use super::*;
use crate::simulator::settings::Settings;

const PAGE: &str = include_str!("../../../docs/simulator.md");

#[tokio::test]
async fn the_world_file_of_the_page_is_accepted() {
    let (_, rest) = PAGE.split_once("```yaml\n").expect("a world file");
    let (yaml, _) = rest.split_once("```").expect("its end");
    let api = Api::start(World::from_yaml(yaml).expect("accepted")).await;
    let fabrikam = "c1a0c1a0-1111-4a11-8a11-000000000001";
    assert_eq!(api.permissions(fabrikam).await[0]["resource"], RESERVATIONS);
}

#[test]
fn every_setting_is_on_the_page_with_its_default() {
    let settings = serde_json::to_value(Settings::default()).expect("JSON");
    for (name, default) in settings.as_object().expect("an object") {
        let shown = format!("| `{name}` | {} |", default.to_string().replace('"', ""));
        let quoted = format!("| `{name}` | `{default}` |");
        assert!(PAGE.contains(&shown) || PAGE.contains(&quoted), "the page lacks {shown}");
    }
}

/// The answers of faults, as the page lists them, can be sent.
#[tokio::test]
async fn every_fault_of_the_page_is_accepted() {
    let api = Api::with_customers().await;
    let (_, rest) = PAGE.split_once("### Faults").expect("the section");
    let (section, _) = rest.split_once("## World file").expect("its end");
    let answers: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `{")?.split_once("}` |").map(|(inner, _)| inner))
        .collect();
    assert_eq!(answers.len(), 10);
    for inner in answers {
        let answer: Value = serde_json::from_str(&format!("{{{inner}}}")).expect("JSON");
        api.fault(json!({ "operation": "get_customer", "times": 1, "answer": answer })).await;
    }
}
