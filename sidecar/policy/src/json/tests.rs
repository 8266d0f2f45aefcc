use super::*;

fn parse(text: &str) -> Result<Document, ParseError> {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), Limits::default())
}

#[test]
fn a_value_reads_back() {
    let document = parse(r#" {"a":[1,-2.5e1,"x\u0041\n",null,true,false,{}],"\u0062":{"c":[]}, "n":18446744073709551615} "#).unwrap();
    let root = document.root();
    assert_eq!(root.len(), 3);
    let items: Vec<_> = root.get("a").unwrap().items().collect();
    assert_eq!(items.len(), 7);
    assert_eq!(items[0].as_number(), Some(Number::Int(1)));
    assert_eq!(items[1].as_number(), Some(Number::Float(-25.0)));
    assert_eq!(items[2].as_str().unwrap(), "xA\n");
    assert!(items[3].is_null());
    assert_eq!(items[4].as_bool(), Some(true));
    assert_eq!(items[5].as_bool(), Some(false));
    assert_eq!(root.get("b").unwrap().get("c").unwrap().raw(), b"[]");
    assert_eq!(
        root.get("n").unwrap().as_number(),
        Some(Number::UInt(u64::MAX))
    );
    let mut out = Vec::new();
    canonical(root, &mut |part| out.extend_from_slice(part));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"a":[1,-25,"xA\n",null,true,false,{}],"b":{"c":[]},"n":18446744073709551615}"#
    );
}
