use super::*;

#[test]
fn a_key_is_found_whole_and_not_as_part_of_another() {
    let text = "rss 1\nrss_huge 2\ntotal_rss 4096\ntotal_rss_huge 3\noom_kill_disable 0\noom_kill 7\n";
    assert_eq!(keyed_in(text, "total_rss"), Some(4096));
    assert_eq!(keyed_in(text, "oom_kill"), Some(7));
    assert_eq!(keyed_in(text, "anon"), None);
    assert_eq!(keyed_in("anon many\n", "anon"), None);
}
