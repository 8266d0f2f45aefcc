//! `docs/soak.md`: what came of the last run.

use reeve_tests::process::root;

/// Puts what came of a test in its place on the page.
pub fn write(name: &str, result: &str) {
    let file = root().join("docs/soak.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("the page has no place for {name}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the place for {name} has no end"));
    std::fs::write(&file, format!("{before}{begin}\n{result}\n{end}{after}")).unwrap();
}
