//! The function as a process: what it refuses to start with.

mod support;

use support::{command, folder, Settings};

/// What it says on standard error, line by line.
fn refused(config: &str) -> Vec<String> {
    let path = folder().join("config.yaml");
    std::fs::write(&path, config).unwrap();
    let output = command(&path).output().unwrap();
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn refuses_bad_values_with_one_line_each() {
    let config = Settings::default().yaml(&folder());
    let bad = config.replace("max_concurrent_requests: 100", "max_concurrent_requests: 0") + "extra:\n  key: 1\n";
    let lines = refused(&bad);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("config.yaml: function.max_concurrent_requests: \"0\" is no whole number from 1"));
    assert!(lines[1].contains("config.yaml: extra: is no section"));
}

#[test]
fn refuses_a_config_that_is_not_there() {
    let output = command(&folder().join("none.yaml")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("none.yaml: cannot be read"), "{text}");
}

#[test]
fn refuses_a_malformed_database_url_without_showing_it() {
    let folder = folder();
    let settings = Settings { database_url: Some("mysql://shop:hunter2@db/orders".to_owned()), ..Settings::default() };
    let lines = refused(&settings.yaml(&folder));
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("does not begin with postgres://") && !lines[0].contains("hunter2"), "{lines:?}");
}
