use super::*;

fn read(files: &[(&str, &str)]) -> Vec<Source> {
    let files = files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() });
    Source::read_all(&files.collect::<Vec<_>>())
}

fn test_lines(source: &Source) -> Vec<usize> {
    source.lines().filter(|(_, _, is_test)| *is_test).map(|(number, _, _)| number).collect()
}

#[test]
fn comments_and_literals_are_blanked_and_code_is_kept() {
    for (text, code) in [
        (r#"let a = "{ // }"; b"#, "leta=;b"),
        (r#"let a = "\"{"; b"#, "leta=;b"),
        ("x // {", "x"),
        ("x /* a /* { */ } */ y", "xy"),
        ("r#\"{ \" \"# y", "y"),
        ("br\"{\" y", "y"),
        ("'{' y", "y"),
        (r"'\'' y", "y"),
        ("&'a str", "&'astr"),
        ("r#type", "r#type"),
        ("for r in c {}", "forrinc{}"),
    ] {
        let blanked = blank(text);
        assert_eq!(blanked.replace(' ', ""), code, "{text}");
        assert_eq!(blanked.chars().count(), text.chars().count(), "{text}");
    }
}

#[test]
fn a_string_over_several_lines_keeps_the_line_count() {
    assert_eq!(blank("a \"x\ny\" b").lines().count(), 2);
}

#[test]
fn test_items_are_marked_to_their_end() {
    let text =
        "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { }\n}\nfn c() {}\n#[tokio::test]\nfn d() {\n}\n";
    assert_eq!(test_lines(&read(&[("crates/x/src/lib.rs", text)])[0]), [2, 3, 4, 5, 7, 8, 9]);
}

#[test]
fn an_attribute_about_the_absence_of_tests_marks_nothing() {
    let text = "#[cfg(not(test))]\nfn a() {}\n#[cfg_attr(test, derive(Debug))]\nstruct B;\n";
    assert!(test_lines(&read(&[("crates/x/src/lib.rs", text)])[0]).is_empty());
}

#[test]
fn files_are_tests_by_path_or_by_declaration() {
    let sources = read(&[
        ("crates/x/src/lib.rs", "#[cfg(test)]\nmod fixtures;\nmod real;\n"),
        ("crates/x/src/fixtures.rs", "fn a() {}\n"),
        ("crates/x/src/fixtures/deep.rs", "fn a() {}\n"),
        ("crates/x/src/real.rs", "fn a() {}\n"),
        ("crates/x/tests/it/main.rs", "fn a() {}\n"),
        ("crates/x/src/a/tests.rs", "fn a() {}\n"),
    ]);
    let whole_file = |source: &&Source| source.is_test.iter().all(|is_test| *is_test);
    let tests: Vec<_> = sources.iter().filter(whole_file).map(|source| source.path.as_str()).collect();
    assert_eq!(
        tests,
        [
            "crates/x/src/fixtures.rs",
            "crates/x/src/fixtures/deep.rs",
            "crates/x/tests/it/main.rs",
            "crates/x/src/a/tests.rs"
        ]
    );
}

#[test]
fn words_are_whole_words() {
    assert!(has_word("an unsafe block", "unsafe"));
    assert!(!has_word("deny(unsafe_code)", "unsafe"));
}
