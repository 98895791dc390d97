//! `docs/simulator.md` keeps its word.

use super::*;
use crate::simulator::Scenario;
use crate::simulator::settings::Settings;

const PAGE: &str = include_str!("../../../docs/simulator.md");

#[tokio::test]
async fn the_world_file_of_the_page_is_accepted() {
    let (_, rest) = PAGE.split_once("## World file").expect("the section");
    let (_, rest) = rest.split_once("```yaml\n").expect("a world file");
    let (yaml, _) = rest.split_once("```").expect("its end");
    let api = Api::start(World::from_yaml(yaml).expect("accepted")).await;
    let fabrikam = "c1a0c1a0-1111-4a11-8a11-000000000001";
    assert_eq!(api.permissions(fabrikam).await[0]["resource"], RESERVATIONS);
}

#[test]
fn the_scenario_of_the_page_is_accepted() {
    let (_, rest) = PAGE.split_once("## Scenario file").expect("the section");
    let (_, rest) = rest.split_once("```yaml\n").expect("a scenario");
    let (yaml, _) = rest.split_once("```").expect("its end");
    Scenario::from_yaml(yaml).expect("understood").rehearse(World::generated(3)).expect("no call is refused");
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

/// The requests in the first two cells of the rows between two headings: what stands in the first, and then each method
/// with each path. `` `GET`, `POST /a`, `/b` `` is GET and POST of both.
fn documented(from: &str, to: &str) -> Vec<(String, Method, String)> {
    let (_, rest) = PAGE.split_once(from).expect("the heading");
    let (section, _) = rest.split_once(to).expect("the next heading");
    let mut found = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let first = cells[0].trim_start_matches("| ").trim_matches('`').to_owned();
        let words = cells[..2].iter().flat_map(|cell| cell.split('`').skip(1).step_by(2));
        let (mut methods, mut is_complete) = (Vec::new(), false);
        for word in words {
            let (method, path) =
                word.split_once(' ').unwrap_or(if word.starts_with('/') { ("", word) } else { (word, "") });
            if ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method) {
                if is_complete {
                    methods.clear();
                }
                methods.push(method.parse::<Method>().expect("a method"));
                is_complete = false;
            }
            if path.starts_with('/') {
                let path = path.split('?').next().unwrap_or_default();
                found.extend(methods.iter().map(|method| (first.clone(), method.clone(), path.to_owned())));
                is_complete = true;
            }
        }
    }
    found
}

/// A path of the page, as somebody would ask for it.
fn asked(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { CUSTOMER } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_of_the_page_is_the_operation_that_the_page_says() {
    let api = Api::with_customers().await;
    let routes = documented("## What it serves", "How it behaves where");
    for (operation, method, path) in &routes {
        for path in [asked(path), asked(path).to_uppercase()] {
            api.control(Method::DELETE, "requests", &Value::Null).await;
            answered(api.request(method.clone(), &path)).await;
            let log = api.control(Method::GET, "requests", &Value::Null).await;
            assert_eq!(&log["requests"][0]["operation"], operation, "{method} {path}");
        }
    }
    // Every operation that there is, but for the one that is none.
    let (_, rest) = include_str!("../operation.rs").split_once("enum Operation {\n").expect("the operations");
    let (variants, _) = rest.split_once("\n}").expect("their end");
    for variant in variants.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let name = variant.trim_end_matches(',');
        let is_there = routes.iter().any(|(operation, ..)| operation.replace('_', "") == name.to_lowercase());
        assert!(is_there || name == "Unknown", "the page lacks the operation {name}");
    }
}

#[tokio::test]
async fn every_control_call_is_on_the_page_and_the_other_way_round() {
    let api = Api::with_customers().await;
    let calls = documented("## Control API", "### Settings");
    for (_, method, path) in &calls {
        // An empty body is refused by many, but not for want of such a call.
        let (_, answer) = answered(api.request(method.clone(), &asked(path)).json(&json!({}))).await;
        let said = answer["error"].as_str().unwrap_or_default();
        assert!(!said.contains("is not a call of the control API"), "{method} {path}: {said}");
    }
    let source = include_str!("../control/mod.rs");
    for arm in source.lines().filter_map(|line| line.trim().strip_prefix("(Method::")) {
        let (method, rest) = arm.split_once(", [").expect("a method");
        let (segments, _) = rest.split_once("])").expect("a path");
        let segments =
            segments.split(", ").map(|part| part.strip_prefix('"').map_or("{", |text| text.trim_end_matches('"')));
        let path = format!("/simulator/{}", segments.collect::<Vec<_>>().join("/"));
        let is_there = calls.iter().any(|(_, known, documented)| {
            let parts = documented.split('/').map(|part| if part.starts_with('{') { "{" } else { part });
            known.as_str() == method && parts.collect::<Vec<_>>().join("/") == path
        });
        assert!(is_there, "the page lacks {method} {path}");
    }
}
