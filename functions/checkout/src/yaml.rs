//! The YAML that this function's config is written in: sections of scalars, nothing else.
//!
//! A full YAML parser adds 190 kB to a module whose size decides its cold start. What is outside of this subset is
//! refused, never guessed at.

/// A value; `quoted` tells the text `"80"` from the number `80`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    pub text: String,
    pub quoted: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub section: String,
    pub key: String,
    pub value: Scalar,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Document {
    pub sections: Vec<String>,
    pub entries: Vec<Entry>,
}

impl Document {
    fn find(&self, section: &str, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.section == section && entry.key == key)
    }

    /// Takes a value out, so that what nobody knows is left.
    pub fn take(&mut self, section: &str, key: &str) -> Option<Scalar> {
        self.find(section, key).map(|index| self.entries.swap_remove(index).value)
    }
}

/// Reads a document; an error says the line and what would be right.
pub fn parse(text: &str) -> Result<Document, String> {
    let mut document = Document::default();
    for (index, line) in text.lines().enumerate() {
        let at = |problem: &str| format!("line {}: {problem}", index + 1);
        let line = line.trim_end();
        if line.trim_start().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        if line.contains('\t') {
            return Err(at("has a tab; indent with two spaces"));
        }
        if !line.starts_with(' ') {
            let name = line
                .strip_suffix(':')
                .filter(|name| is_key(name))
                .ok_or_else(|| at("is no section; write it as `server:`"))?;
            if document.sections.iter().any(|section| section == name) {
                return Err(at(&format!("section {name} stands there twice; keep one")));
            }
            document.sections.push(name.to_owned());
            continue;
        }
        let (key, value) = line
            .strip_prefix("  ")
            .and_then(|rest| rest.split_once(": "))
            .filter(|(key, _)| is_key(key))
            .ok_or_else(|| at("is no value; write it as two spaces, then `key: value`"))?;
        let value = scalar(value).ok_or_else(|| at(&format!("the value of {key} is no plain text; quote it")))?;
        let section = document.sections.last().ok_or_else(|| at("stands before the first section"))?.clone();
        if document.find(&section, key).is_some() {
            return Err(at(&format!("{key} stands there twice; keep one")));
        }
        document.entries.push(Entry { section, key: key.to_owned(), value });
    }
    Ok(document)
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// JSON's texts are YAML's double-quoted ones.
fn scalar(text: &str) -> Option<Scalar> {
    let text = text.trim();
    if text.starts_with('"') {
        let text = serde_json::from_str(text).ok()?;
        return Some(Scalar { text, quoted: true });
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/~+-".contains(&byte);
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"/.".contains(&byte));
    (starts && text.bytes().all(plain)).then(|| Scalar { text: text.to_owned(), quoted: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, quoted: bool) -> Scalar {
        Scalar { text: text.to_owned(), quoted }
    }

    #[test]
    fn reads_sections_of_numbers_and_quoted_texts() {
        let mut document =
            parse("# a comment\nserver:\n  port: 80\n  host: \"0.0.0.0\"\n\nhealth:\n  path: /x\n").unwrap();
        assert_eq!(document.take("server", "port"), Some(value("80", false)));
        assert_eq!(document.take("server", "host"), Some(value("0.0.0.0", true)));
        assert_eq!(document.take("health", "path"), Some(value("/x", false)));
    }

    #[test]
    fn refuses_what_it_does_not_know_by_line() {
        for (text, line) in [
            ("server: {port: 80}\n", "line 1"),
            ("server:\n\tport: 80\n", "line 2"),
            ("server:\n    port: 80\n", "line 2"),
            ("server:\n  port: [80]\n", "line 2"),
            ("server:\n  port: *anchor\n", "line 2"),
            ("server:\n  port: 80 # why\n", "line 2"),
            ("server:\n  host: \"open\n", "line 2"),
            ("  port: 80\n", "line 1"),
            ("server:\n  port: 80\n  port: 81\n", "line 3"),
            ("server:\nserver:\n", "line 2"),
            ("server:\n  port:\n", "line 2"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(line), "{text:?} gave {error:?}");
        }
    }
}
