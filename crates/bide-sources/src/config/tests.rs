use super::*;

fn read(text: &str) -> Result<Vec<Source>, String> {
    #[derive(Deserialize)]
    struct File {
        event_sources: Vec<Entry>,
    }
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let account = AccountId::new("1").expect("valid");
    Source::read(file.event_sources, Some(&account)).map_err(|error| error.to_string())
}

fn nats(head: &str, source: &str) -> String {
    format!(
        "[[event_sources]]\nservice = \"s\"\nfunction = \"f\"\n{head}\nsource = {{ kind = \"nats\", url = \
         \"nats://localhost:1\", {source} }}\n"
    )
}

#[test]
fn a_source_has_defaults_for_what_is_not_said() {
    let sources = read(&nats("name = \"a\"", "stream = \"S\"")).expect("read");
    let [Source { name, function, broker: Broker::Nats(nats) }] = &sources[..] else { panic!("one of NATS") };
    assert_eq!((name.as_str(), nats.consumer.as_str(), nats.concurrency), ("a", "bide-a", 16));
    assert_eq!((function.account.as_str(), &function.qualifier), ("1", &Qualifier::latest()));
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let good = nats("name = \"a\"", "stream = \"S\"");
    for (text, part) in [
        (nats("name = \"a b\"", "stream = \"S\""), "name:"),
        (nats("name = \"a\"\nconcurrency = 0", "stream = \"S\""), "event source 'a': concurrency:"),
        (nats("name = \"a\"\nqualifier = \"0-0\"", "stream = \"S\""), "qualifier:"),
        (nats("name = \"a\"", "stream = \"S.T\""), "stream:"),
        (nats("name = \"a\"", "stream = \"S\", consumer = \"\""), "consumer:"),
        (nats("name = \"a\"", "stream = \"S\", durable = true"), "unknown field"),
        (nats("name = \"a\"\nother = 1", "stream = \"S\""), "unknown field"),
        (nats("name = \"a\"", "stream = \"S\", username = \"u\""), "username:"),
        (format!("{good}{good}"), "given twice"),
        (good.replace("nats://", "http://"), "url:"),
    ] {
        let error = read(&text).err().expect("refused");
        assert!(error.contains(part), "{text}: {error}");
    }
    let file: Entry = toml::from_str(&good.replace("[[event_sources]]\n", "")).expect("an entry");
    let error = Source::read(vec![file], None).err().expect("refused").to_string();
    assert!(error.contains("account_id:"), "{error}");
}
