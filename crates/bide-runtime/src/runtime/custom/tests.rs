use super::*;

#[test]
fn commands_in_the_code_directory_are_found_where_the_code_lies() {
    let dir = Path::new("/cache/x");
    assert_eq!(in_code_dir("/code/run.sh", dir), "/cache/x/run.sh");
    assert_eq!(in_code_dir("python3", dir), "python3");
}
