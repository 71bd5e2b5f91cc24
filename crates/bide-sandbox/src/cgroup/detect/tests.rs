use super::*;

fn unified(processes: &str) -> (tempfile::TempDir, Unified, Place) {
    let directory = tempfile::tempdir().expect("a directory");
    let own = directory.path().to_owned();
    fs::write(own.join("cgroup.procs"), processes).expect("written");
    let place = Place::claim(Version::V2, &own, "a").expect("claimed");
    (directory, Unified { own, offered: vec![Controller::Memory] }, place)
}

#[test]
fn only_the_servers_own_processes_make_way() {
    let (directory, unified, place) = unified("7\n8\n");
    unified.make_way(&place, &[8, 7]).unwrap();
    // In the kernel's file each write moves one process; here the last write is left.
    let moved = directory.path().join("bide-a").join(SERVER_GROUP).join("cgroup.procs");
    assert_eq!(fs::read_to_string(moved).unwrap(), "8");
}

#[test]
fn processes_of_others_are_left_where_they_are() {
    let (directory, unified, place) = unified("7\n9\n");
    let reason = unified.make_way(&place, &[7]).unwrap_err();
    assert!(reason.starts_with("other processes live in the server's control group"), "{reason}");
    assert!(!directory.path().join("bide-a").join(SERVER_GROUP).exists());
}

#[test]
fn the_top_of_a_mount_stands_for_a_group_that_it_does_not_show() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("here")).unwrap();
    assert_eq!(below(directory.path(), "/here"), directory.path().join("here"));
    assert_eq!(below(directory.path(), "/docker/1f"), directory.path());
}
