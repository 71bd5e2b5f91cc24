use super::*;

#[test]
fn a_variable_has_one_value_and_it_is_the_last() {
    let mut env = Environment::default();
    env.set("A", "1");
    env.set("B", "2");
    env.set("A", "3");
    assert_eq!(env.iter().collect::<Vec<_>>(), [("A", "3"), ("B", "2")]);
    assert_eq!(env.filter(|name| name == "B").into_pairs(), [("B".into(), "2".into())]);
}

#[test]
fn what_an_interpreter_reads_when_it_starts_is_known() {
    for name in ["LANG", "LC_ALL", "LD_PRELOAD", "PYTHONPATH", "NODE_OPTIONS", "TZ", "http_proxy", "HOME"] {
        assert!(is_read_at_start(name), "{name}");
    }
    for name in ["PATH", "TMPDIR", "FC_FUNCTION_NAME", "LOGLEVEL", "NODEJS", "OMP_NUM_THREADS"] {
        assert!(!is_read_at_start(name), "{name}");
    }
}
