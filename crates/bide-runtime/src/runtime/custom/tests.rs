use super::*;

#[test]
fn a_port_is_given_to_one_instance_only_and_comes_back() {
    let ports = Ports::default();
    let first = ports.take(0).unwrap();
    let number = first.number;
    let second = ports.take(number).unwrap();
    assert_ne!(second.number, number);
    drop(first);
    assert_eq!(ports.take(number).unwrap().number, number);
}

#[test]
fn a_port_that_somebody_else_listens_on_is_not_given() {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let used = listener.local_addr().unwrap().port();
    assert_ne!(Ports::default().take(used).unwrap().number, used);
}

#[test]
fn commands_in_the_code_directory_are_found_where_the_code_lies() {
    let dir = Path::new("/cache/x");
    assert_eq!(in_code_dir("/code/run.sh", dir), "/cache/x/run.sh");
    assert_eq!(in_code_dir("python3", dir), "python3");
}
