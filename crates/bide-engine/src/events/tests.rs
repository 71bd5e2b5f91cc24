use super::*;

#[test]
fn an_id_belongs_to_one_source_and_one_list_of_parts() {
    let id = occurrence_id("trigger", &[b"source", b"1"]);
    assert_eq!(id, occurrence_id("trigger", &[b"source", b"1"]));
    assert_ne!(id, occurrence_id("trigger", &[b"source1", b""]));
    assert_ne!(id, occurrence_id("trigger", &[b"source", b"2"]));
    assert_ne!(id, occurrence_id("other", &[b"source", b"1"]));
}
