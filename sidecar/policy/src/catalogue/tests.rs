//! What a catalogue keeps of the lists that servers send.

use std::fmt::Write;

use super::*;

fn document(json: &str) -> Document {
    let limits = Limits { tokens: 1 << 20, ..Limits::default() };
    Document::parse(Bytes::from(json.to_owned()), limits).unwrap()
}

fn listed(catalogue: &Catalogue, result: &str, extent: Extent) -> Catalogue {
    catalogue.with_listed(document(result).root(), extent)
}

fn names(catalogue: &Catalogue) -> Vec<String> {
    let mut names: Vec<_> = catalogue.tools().map(|tool| tool.name.to_string()).collect();
    names.sort();
    names
}

const TWO: &str = r#"{"tools": [{"name": "a", "inputSchema": {"type": "object"}}, {"name": "b", "inputSchema": {"type": "object"}}]}"#;
const ONE: &str =
    r#"{"tools": [{"name": "b", "description": "Deletes.", "inputSchema": {"type": "object"}}], "nextCursor": "x"}"#;

#[test]
fn a_whole_list_replaces_and_a_part_adds() {
    let two = listed(&Catalogue::default(), TWO, Extent::Whole);
    assert_eq!(names(&two), ["a", "b"]);
    assert_eq!(names(&listed(&two, ONE, Extent::Part)), ["a", "b"]);
    assert_eq!(names(&listed(&two, ONE, Extent::Whole)), ["b"]);
}

#[test]
fn an_older_list_adds_what_is_not_known_and_tells_nothing_of_what_is() {
    let newer = listed(&Catalogue::default(), ONE, Extent::Whole);
    let both = listed(&newer, TWO, Extent::Older);
    assert_eq!(names(&both), ["a", "b"]);
    assert!(Arc::ptr_eq(newer.tool("b").unwrap(), both.tool("b").unwrap()));
}

#[test]
fn tools_that_did_not_change_are_shared_and_others_are_read_again() {
    let two = listed(&Catalogue::default(), TWO, Extent::Whole);
    let later = listed(&two, ONE, Extent::Part);
    assert!(Arc::ptr_eq(two.tool("a").unwrap(), later.tool("a").unwrap()));
    assert_ne!(two.tool("b").unwrap().risk, later.tool("b").unwrap().risk);
    assert!(Arc::ptr_eq(two.tool("b").unwrap(), listed(&two, TWO, Extent::Whole).tool("b").unwrap()));
}

#[test]
fn of_two_definitions_of_one_name_the_first_counts() {
    let twice = r#"{"tools": [{"name": "a", "description": "Deletes."}, {"name": "a"}]}"#;
    let catalogue = listed(&Catalogue::default(), twice, Extent::Whole);
    assert!(catalogue.tool("a").unwrap().risk.categories.contains(&reeve_crds::v1alpha1::RiskCategory::Destructive));
}

#[test]
fn a_torn_definition_is_kept_mended_with_its_risk_and_read_back() {
    let torn = r#"{"tools": [{"name": "a", "description": "Deletes \ud83d", "inputSchema": {"type": "object"}}]}"#;
    let document = Document::parse_torn(Bytes::from(torn), Limits::default()).unwrap();
    let catalogue = Catalogue::default().with_listed(document.root(), Extent::Whole);
    let tool = catalogue.tool("a").unwrap();
    assert!(tool.risk.categories.contains(&reeve_crds::v1alpha1::RiskCategory::Destructive) && tool.schema().is_ok());
    let again = Catalogue::read(&catalogue.write());
    assert_eq!(again.tool("a").unwrap().definition.bytes(), tool.definition.bytes());
    assert!(catalogue.is_same(&catalogue.with_listed(document.root(), Extent::Whole)), "it has not changed");
}

#[test]
fn what_is_no_tool_is_left_out() {
    for result in ["{}", "[]", r#"{"tools": 5}"#, r#"{"tools": [5, {}, {"name": 5}, {"name": null}, []]}"#] {
        assert_eq!(listed(&Catalogue::default(), result, Extent::Whole).tools().count(), 0, "{result}");
    }
    let long = format!(r#"{{"tools": [{{"name": "{}"}}]}}"#, "x".repeat(LONGEST_NAME + 1));
    assert_eq!(listed(&Catalogue::default(), &long, Extent::Whole).tools().count(), 0);
}

#[test]
fn a_tool_without_a_usable_schema_is_known_all_the_same() {
    let catalogue = listed(&Catalogue::default(), r#"{"tools": [{"name": "a"}]}"#, Extent::Whole);
    assert!(catalogue.tool("a").unwrap().schema().is_err());
}

#[test]
fn tools_beyond_the_bounds_are_not_kept() {
    let mut many = String::from(r#"{"tools": ["#);
    for number in 0..MOST_TOOLS + 10 {
        write!(many, r#"{{"name": "t{number}"}},"#).unwrap();
    }
    many.push_str(r#"{"name": "last"}]}"#);
    let catalogue = listed(&Catalogue::default(), &many, Extent::Whole);
    assert_eq!(catalogue.tools().count(), MOST_TOOLS);
    assert!(catalogue.tool("last").is_none());

    let tool = |name: &str| format!(r#"{{"name": "{name}", "description": "{}"}}"#, "x".repeat(MOST_BYTES / 2));
    let large = format!(r#"{{"tools": [{}, {}, {{"name": "small"}}]}}"#, tool("a"), tool("b"));
    assert_eq!(names(&listed(&Catalogue::default(), &large, Extent::Whole)), ["a", "small"]);
}

#[test]
fn what_is_written_reads_back() {
    let catalogue = listed(&Catalogue::default(), TWO, Extent::Whole);
    let read = Catalogue::read(&catalogue.write());
    assert_eq!(names(&read), ["a", "b"]);
    assert_eq!(read.tool("a").unwrap().definition.bytes(), catalogue.tool("a").unwrap().definition.bytes());
    assert_eq!(read.write(), catalogue.write());
    assert_eq!(Catalogue::read(b"{nonsense").tools().count(), 0);
    assert_eq!(Catalogue::read(&Catalogue::default().write()).tools().count(), 0);
}

#[test]
fn the_headers_that_repeat_arguments_are_read_once_for_each_tool() {
    let tool = r#"{"name": "a", "inputSchema": {"properties": {"region": {"x-mcp-header": "Region"}}}}"#;
    let tool = Tool::read(document(tool).root()).unwrap();
    assert_eq!(tool.repeated().len(), 1);
    assert!(std::ptr::eq(tool.repeated(), tool.repeated()));
}
