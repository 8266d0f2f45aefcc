//! Files that are refused, each with one clear reason, and the bounds of what is read.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const SEED: &str = include_str!("../../../../../examples/start-dicom-export-job.json");

fn only_mistake(name: &str, bytes: &[u8]) -> String {
    let mistakes = policies(name, bytes).expect_err("the file must be refused");
    assert_eq!(mistakes.len(), 1, "{}", lines(&mistakes));
    mistakes[0].to_string()
}

#[test]
fn a_file_that_is_no_text_is_refused_with_the_reason() {
    for (bytes, reason) in [
        (b"".as_slice(), "1:1: the file is empty: write an McpPolicy, or a policy with version and tools"),
        (
            b"# only a comment\n---\n---\n",
            "1:1: the file is empty: write an McpPolicy, or a policy with version and tools",
        ),
        (b"a: b\nc: \xFF", "2:4: the file is not UTF-8 at byte 8: save it as UTF-8"),
        (b"\xEF\xBB\xBFa: b", "1:1: the file begins with a byte order mark: save it as UTF-8 without one"),
        (b"\xFF\xFEa\0", "1:1: the file is not UTF-8 at byte 0: save it as UTF-8"),
    ] {
        assert_eq!(only_mistake("p", bytes), format!("p:{reason}"));
    }
    let large = vec![b'#'; (4 << 20) + 1];
    assert_eq!(only_mistake("p", &large), "p:1:1: the file has 4194305 bytes, and may have 4194304");
}

#[test]
fn what_is_no_policy_is_refused_with_what_would_be() {
    for text in ["just text", "- a\n- b", "a: b", "[]", "{}", "42"] {
        let mistake = only_mistake("p", text.as_bytes());
        assert!(mistake.contains("this is no policy: a manifest has apiVersion"), "{text}: {mistake}");
    }
}

#[test]
fn an_alias_bomb_is_refused_quickly() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let last = level - 1;
        let aliases = vec![format!("*a{last}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let started = Instant::now();
    let mistake = only_mistake("p", text.as_bytes());
    assert!(mistake.contains("more than 1000000 values, those that aliases repeat included"), "{mistake}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_alias_stands_for_what_it_repeats_and_not_for_itself() {
    let text = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: a}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: one, tools: &tools [a, b], action: Allow}
  - {name: two, tools: *tools, action: Constrain}
";
    let loaded = load("p", text);
    assert_eq!(spec(&loaded[0]).rules[1].tools, ["a", "b"]);
    let mistake = only_mistake("p", b"a: &x [*x]");
    assert_eq!(mistake, "p:1:8: /a/0: an alias repeats what is not complete here: write the values out");
}

#[test]
fn yaml_that_readers_differ_on_is_refused() {
    for (text, reason) in [
        ("a: 1\nb: 2\na: 3", "p:3:1: /a: \"a\" stands twice in one object: remove one"),
        ("a: !!str 1", "p:1:4: /a: the tag \"tag:yaml.org,2002:!str\" is not read: remove it"),
        ("a: *b", "p:1:4: /a: this is not YAML: while parsing node, found unknown anchor"),
        ("x: &b {c: 1}\na: {<<: *b}", "p:2:5: /a: merge keys (<<) are not read: write the fields out"),
        ("? [a]\n: b", "p:1:3: a list or object cannot be a key: write text"),
        ("~: b", "p:1:1: a key is empty or null: write its name"),
        ("a: b: c", "p:1:5: this is not YAML: mapping values are not allowed in this context"),
    ] {
        let mistakes = policies("p", text.as_bytes()).expect_err("the file must be refused");
        assert!(mistakes.iter().any(|mistake| mistake.to_string() == reason), "{reason}\n{}", lines(&mistakes));
    }
}

#[test]
fn json_that_readers_differ_on_is_refused() {
    for (text, reason) in [
        ("{\"version\":\"1\",\n \"version\":\"1\"}", "p.json:2:2: a key that occurs twice in one object"),
        ("{\"version\": \"\\ud800\"}", "p.json:1:14: a lone surrogate escape"),
        ("{\"version\": \"1\" \"default\": 1}", "p.json:1:17: this is not JSON: not JSON"),
    ] {
        assert_eq!(only_mistake("p.json", text.as_bytes()), reason);
    }
}

#[test]
fn nesting_is_bounded_in_every_form() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("- ", ""), ("? ", ""), ("{a: ", "}")] {
        for depth in [65, 300, 100_000] {
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let mistakes = policies("p", text.as_bytes()).expect_err("the file must be refused");
            assert_eq!(mistakes.len(), 1, "{open} {depth}");
        }
    }
}

#[test]
fn a_file_may_hold_many_documents_but_not_any_number() {
    let document = |index: usize| {
        format!(
            "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {{name: p{index}}}\nspec: {{serverRefs: [{{name: a}}]}}\n---\n"
        )
    };
    let text: String = (0..1_000).map(document).collect();
    assert_eq!(load("p", &text).len(), 1_000);
    let text: String = (0..1_001).map(document).collect();
    assert_eq!(only_mistake("p", text.as_bytes()), "p:5001:1: more than 1000 documents");
}

#[test]
fn one_bad_document_does_not_hide_the_mistakes_of_another() {
    let text = "\
apiVersion: reeve.dev/v1alpha1
kind: McpPolcy
metadata: {name: a}
spec: {serverRefs: [{name: x}], rules: [{name: r, action: Deny, tool: [x]}]}
---
version: '2'
default: deny
tools: {t: {limits: [{counter: c, window: minut, max: 1}]}}
---
a: [
";
    assert_eq!(
        lines(&mistakes(text)),
        "\
policy.yaml:2:7: /kind: kind cannot be \"McpPolcy\": write McpPolicy or ClusterMcpPolicy; did you mean McpPolicy?
policy.yaml:4:65: /spec/rules/0/tool: unknown field \"tool\" in rules[0]; did you mean \"tools\"?
policy.yaml:6:10: /version: version must be \"1\", the only one there is
policy.yaml:8:43: /tools/t/limits/0/window: \"minut\" is no window: write second, minute, hour, day or week, or a number of seconds; did you mean minute?
policy.yaml:11:1: /a/0: this is not YAML: while parsing a node, did not find expected node content
"
    );
}

#[test]
fn a_file_of_nothing_but_mistakes_takes_no_more_work_for_each_the_more_there_are() {
    let work = |text: &str| {
        let before = nanoseconds_of_work();
        let mistakes = policies("p", text.as_bytes()).expect_err("the file must be refused");
        assert!(mistakes.len() <= 1_001, "{}", mistakes.len());
        nanoseconds_of_work() - before
    };
    let tags = |count: usize| (0..count).map(|index| format!("f{index}: &a{index} !t x\n")).collect::<String>();
    let fields = |count: usize| (0..count).map(|index| format!("f{index}: x\n")).collect::<String>();
    let tools = |count: usize| {
        (0..count).map(|index| format!("  t{index}: {{rate_limit: x, f{index}: y}}\n")).collect::<String>()
    };
    let files: [&dyn Fn(usize) -> String; 4] = [
        &tags,
        &|count| format!("apiVersion: a\nkind: McpPolicy\n{}", tags(count)),
        &|count| format!("apiVersion: a\nkind: McpPolicy\nmetadata: {{name: a}}\n{}", fields(count)),
        &|count| format!("version: '1'\ntools:\n{}", tools(count)),
    ];
    for (number, file) in files.into_iter().enumerate() {
        let (few, many) = (work(&file(4_000)), work(&file(32_000)));
        // Eight times as many; squared it would be sixty-four times the work.
        assert!(many < 24 * few, "file {number}: {few} ns, then {many} ns");
    }
}

/// For how long this thread has run: on a busy machine less than time has passed.
fn nanoseconds_of_work() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    told.split(' ').next().and_then(|first| first.parse().ok()).expect("a number comes first")
}

#[test]
fn a_policy_that_stands_twice_is_refused() {
    let text = format!("{IMAGING}---\n{IMAGING}");
    let mistakes = mistakes(&text);
    assert_eq!(mistakes.len(), 1);
    assert_eq!(
        mistakes[0].to_string(),
        "policy.yaml:29:18: /metadata/name: the McpPolicy clinic/imaging stands twice in this file: remove or rename one"
    );
}

#[test]
fn carriage_returns_and_characters_of_many_bytes_do_not_shift_places() {
    let text = IMAGING.replace("export-rate", "export-räte").replace('\n', "\r\n");
    let mistakes = mistakes(&text);
    assert_eq!((mistakes[0].line, mistakes[0].column), (10, 11));
    let json = "{\"é\": \"日本\", \"tools\": {}, \"version\": 2}";
    let mistakes = policies("p", json.as_bytes()).expect_err("the file must be refused");
    let places: Vec<_> = mistakes.iter().map(|mistake| (mistake.line, mistake.column)).collect();
    assert_eq!(places, [(1, 2), (1, 37)]);
}

/// Runs a test on a stack as small as a thread's may be, so that any recursion without a bound aborts it.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run).expect("a thread");
    thread.join().expect("the loader must not panic");
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let base = prop_oneof![
        Just(IMAGING),
        Just(SEED),
        Just(include_str!("rules.yaml")),
        Just("{a: [b, \"c\"]}\n---\n- &x 1\n- *x\n")
    ];
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ": ",
            "- ",
            "? ",
            "&a ",
            "*a",
            "\"",
            "'",
            "|\n",
            "\n  ",
            "---\n",
            "%YAML 1.2\n",
            "<<: ",
            "!!",
            "\u{feff}",
            "null",
            "-",
            "1e999",
            "\\u0000",
            "status: ",
            "items: ",
            "kind: List\n",
            "rules:",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let edit = (any::<prop::sample::Index>(), 0..20_usize, piece);
    (base, prop::collection::vec(edit, 0..12)).prop_map(|(base, edits)| {
        let mut bytes = base.as_bytes().to_vec();
        for (at, cut, piece) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, piece);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_the_loader_panic(bytes in mutated()) {
        on_a_small_stack(move || {
            if let Err(mistakes) = policies("p.yaml", &bytes) {
                assert!(!mistakes.is_empty());
                let ordered = mistakes.is_sorted_by_key(|mistake| (mistake.line, mistake.column));
                assert!(ordered, "{}", lines(&mistakes));
            }
        });
    }
}
