//! Lines of recordings: strict in what is read, exact in what is written.

use snag_core::{Element, Input, InputKind};

#[test]
fn what_the_table_does_not_list_is_refused() {
    for line in [
        r#"{"t":0,"in":"move","x":1}"#,
        r#"{"t":0,"in":"move","x":1,"y":2,"z":3}"#,
        r#"{"t":0,"in":"move","x":1,"y":2,"app":"a"}"#,
        r#"{"t":0,"in":"move","x":1,"x":1,"y":2}"#,
        r#"{"t":0,"in":"jump","x":1,"y":2}"#,
        r#"{"t":-1,"in":"reaction"}"#,
        r#"{"t":1.5,"in":"reaction"}"#,
        r#"{"in":"reaction"}"#,
        r#"{"t":1}"#,
        r#"{"t":1,"in":"key","class":"a"}"#,
        r#"{"t":1,"in":"key","class":"char","key":"a"}"#,
        r#"{"t":1,"in":"press","button":"left","x":1,"y":1,"element":{"role":"link","id":"a","name":"Anna"}}"#,
        r#"{"t":1,"in":"focus","app":"a","screen":"s"}"#,
        r#"{"t":1,"in":"task","event":"stop","name":"n"}"#,
        r#"{"t":1,"in":"capture"}"#,
        r#"[0,"reaction"]"#,
        "",
    ] {
        assert!(serde_json::from_str::<Input>(line).is_err(), "{line}");
    }
}

#[test]
fn every_kind_is_read_and_written() {
    for line in [
        r#"{"t":0,"in":"capture","reactions":true}"#,
        r#"{"t":1,"in":"move","x":1.5,"y":-2}"#,
        r#"{"t":1,"in":"press","button":"left","x":1,"y":1,"element":{"role":"link","id":"3f9a"}}"#,
        r#"{"t":1,"in":"release","button":"other","x":1,"y":1}"#,
        r#"{"t":1,"in":"wheel","dx":0,"dy":-1,"x":1,"y":1}"#,
        r#"{"t":1,"in":"key","class":"navigation"}"#,
        r#"{"t":1,"in":"focus","app":"a","window":"w","screen":"s"}"#,
        r#"{"t":1,"in":"reaction"}"#,
        r#"{"t":1,"in":"task","event":"cancel","name":"n"}"#,
        r#"{"t":18446744073709551615,"in":"error","code":"c"}"#,
    ] {
        let input: Input = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&input).unwrap(), line);
    }
    // Fields in any order; an element that is null is none.
    let input: Input = serde_json::from_str(
        r#"{"button":"left","element":null,"y":1,"x":2.0,"in":"press","t":3}"#,
    )
    .unwrap();
    assert!(matches!(input.kind, InputKind::Press { element: None, .. }));
}

#[test]
fn debug_shows_no_text() {
    let element = Element {
        role: "secret".into(),
        id: "secret".into(),
    };
    assert!(!format!("{element:?}").contains("secret"));
}
