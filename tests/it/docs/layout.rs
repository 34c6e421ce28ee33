//! The README's length and order, and every link between the pages.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{pages, prose, root};

const README_LINES_MAX: usize = 150;
const COLUMNS_MAX: usize = 100;

#[test]
fn the_readme_is_short_and_has_its_sections_in_their_order() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= README_LINES_MAX, "{lines} lines");
    let sections: Vec<&str> = prose(&readme).filter(|line| line.starts_with('#')).collect();
    assert_eq!(
        sections,
        [
            "# nats-userman",
            "## Install",
            "## Connect NATS",
            "## Protect a members area",
            "## First settings",
            "## Operate",
            "## Security",
            "## Performance",
            "## Develop and test",
            "## Licence",
        ]
    );
    let bullets = |section: &str| {
        let (_, text) = readme.split_once(section).unwrap();
        text.lines()
            .skip(1)
            .take_while(|l| !l.starts_with('#'))
            .filter(|l| l.starts_with("- "))
            .count()
    };
    assert_eq!((bullets("## Security"), bullets("## Performance")), (6, 3));
}

#[test]
fn no_line_of_a_page_is_longer_than_a_hundred_columns() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for (number, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            assert!(columns <= COLUMNS_MAX, "{}:{}: {columns}", page.display(), number + 1);
        }
    }
}

#[test]
fn every_page_is_in_the_list_of_pages() {
    let list = root().join("docs/README.md");
    let listed: HashSet<PathBuf> = links(&list).into_iter().map(|link| link.file).collect();
    for page in pages() {
        let is_a_list = page.ends_with("README.md");
        assert!(is_a_list || listed.contains(&page), "{} is not listed", page.display());
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut count = 0;
    for page in pages() {
        for link in links(&page) {
            let from = page.display();
            assert!(link.file.exists(), "{from}: {} is not there", link.file.display());
            if let Some(anchor) = &link.anchor {
                let anchors = anchors(&fs::read_to_string(&link.file).unwrap());
                let file = link.file.display();
                assert!(anchors.contains(anchor), "{from}: #{anchor} is not in {file}");
            }
            count += 1;
        }
    }
    assert!(count > 60, "{count} links");
}

struct Link {
    file: PathBuf,
    anchor: Option<String>,
}

/// The links of a page to other files of the repository and to headings.
fn links(page: &Path) -> Vec<Link> {
    let text = fs::read_to_string(page).unwrap();
    let prose: Vec<&str> = prose(&text).collect();
    let prose = prose.join("\n");
    let targets = prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets
        .filter(|target| !target.starts_with("https://"))
        .map(|target| {
            let (file, anchor) = match target.split_once('#') {
                Some((file, anchor)) => (file, Some(anchor.to_owned())),
                None => (target, None),
            };
            let file = match file {
                "" => page.to_path_buf(),
                _ => plain(&page.parent().unwrap().join(file)),
            };
            Link { file, anchor }
        })
        .collect()
}

/// The path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                plain.pop();
            }
            _ => plain.push(part),
        }
    }
    plain
}

/// The anchors of a page's headings, by GitHub's rules.
fn anchors(text: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    for heading in prose(text).filter(|line| line.starts_with('#')) {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let anchor: String = words
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let again = (1..).map(|nth| format!("{anchor}-{nth}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|a| !anchors.contains(a));
        anchors.extend(free);
    }
    anchors
}
