//! Links between the pages of the book, and into the repository, lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_relative_link_of_the_book_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let mut pages: Vec<PathBuf> = fs::read_dir(root.join("docs"))
        .expect("docs/ is there")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push(root.join("README.md"));
    for example in ["blog", "flights"] {
        pages.push(root.join("examples").join(example).join("README.md"));
    }
    let mut links = 0;
    let mut broken = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).expect("a page is UTF-8");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            links += 1;
            if !page.parent().is_some_and(|folder| folder.join(file).exists()) {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(links > 20, "only {links} links found: does the search work?");
    assert!(broken.is_empty(), "these lead nowhere:\n{}", broken.join("\n"));
}
