//! The pages link to files and headings that are there, and the book's contents lead to every page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Folders whose Markdown people read.
const FOLDERS: [&str; 4] = ["", "docs", "examples", "manifests"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, below the folders that hold some.
fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        collect(&root().join(folder), folder.is_empty(), &mut found);
    }
    found.sort();
    found
}

fn collect(folder: &Path, flat: bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !flat {
            collect(&path, false, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

fn parse(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES)
}

/// Where the links and pictures of a page lead, but for those to the outside.
fn targets(text: &str) -> Vec<String> {
    parse(text)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
            _ => None,
        })
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// The anchors of a page's headings, as code hosts make them: lower case, spaces as hyphens, no punctuation, and a
/// number behind what was there before.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in parse(text) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), Some(words)) => {
                let plain: String = words
                    .to_lowercase()
                    .chars()
                    .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
                    .map(|letter| if letter == ' ' { '-' } else { letter })
                    .collect();
                let numbered = (1..).map(|number| format!("{plain}-{number}"));
                let anchor = std::iter::once(plain.clone()).chain(numbered).find(|anchor| !found.contains(anchor));
                found.extend(anchor);
                heading = None;
            }
            (Event::Text(word) | Event::Code(word), Some(words)) => words.push_str(&word),
            _ => {}
        }
    }
    found
}

/// What is wrong with the links of one page.
fn broken(page: &Path, text: &str) -> Vec<String> {
    targets(text)
        .into_iter()
        .filter_map(|target| {
            let (path, anchor) = target.split_once('#').map_or((target.as_str(), None), |(path, a)| (path, Some(a)));
            let file = if path.is_empty() { page.to_owned() } else { page.parent()?.join(path) };
            let shown = page.strip_prefix(root()).unwrap_or(page).display();
            if !file.exists() {
                return Some(format!("{shown} links to {target}, and there is no such file"));
            }
            let anchor = anchor?;
            let there = fs::read_to_string(&file).is_ok_and(|text| anchors(&text).contains(anchor));
            (!there).then(|| format!("{shown} links to {target}, and that page has no such heading"))
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 20, "{pages:?}");
    let mut found = Vec::new();
    let mut links = 0;
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        links += targets(&text).len();
        found.extend(broken(page, &text));
    }
    assert!(links > 100, "{links} links");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_books_contents_lead_to_every_page() {
    let contents = fs::read_to_string(root().join("docs/README.md")).unwrap();
    let linked: BTreeSet<_> = targets(&contents).into_iter().collect();
    for page in pages() {
        let Ok(name) = page.strip_prefix(root().join("docs")) else { continue };
        let name = name.display().to_string();
        assert!(name == "README.md" || linked.contains(&name), "docs/README.md does not link to {name}");
    }
}

#[test]
fn a_link_to_nowhere_is_found() {
    let page = root().join("docs/README.md");
    let text = "[a](nothing.md) [b](design.md#no-such-heading) [c](design.md#the-problem) [d](https://example.com/x)\n\n\
                | [e](#gone) |\n|---|\n";
    let found = broken(&page, text);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("nothing.md") && found[1].contains("no-such-heading") && found[2].contains("#gone"));
}

#[test]
fn anchors_are_made_as_code_hosts_make_them() {
    let text = "# `Ready`: what it *means*\n\n## Who may, and who may not\n\n## Same\n\n## Same\n";
    let expected = ["ready-what-it-means", "same", "same-1", "who-may-and-who-may-not"];
    assert_eq!(anchors(text), expected.map(str::to_owned).into());
}
