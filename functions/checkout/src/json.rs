//! JSON objects, written as they are built: smaller and quicker than trees of values.

#[derive(Debug)]
pub struct Object(String);

impl Default for Object {
    fn default() -> Self {
        Object("{".to_owned())
    }
}

impl Object {
    #[must_use]
    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        self.0.push_str(&text(value));
        self
    }

    #[must_use]
    pub fn number(self, key: &str, value: u64) -> Self {
        self.json(key, &value.to_string())
    }

    #[must_use]
    pub fn flag(self, key: &str, value: bool) -> Self {
        self.json(key, if value { "true" } else { "false" })
    }

    #[must_use]
    pub fn object(self, key: &str, value: Object) -> Self {
        self.json(key, &value.finish())
    }

    /// A value that is JSON already.
    #[must_use]
    pub fn json(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        self.0.push_str(value);
        self
    }

    /// The entries of the other behind its own.
    #[must_use]
    pub fn append(mut self, other: Object) -> Self {
        if other.0.len() > 1 {
            self.0.push(if self.0.len() > 1 { ',' } else { ' ' });
            self.0.push_str(&other.0[1..]);
        }
        self
    }

    #[must_use]
    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&text(key));
        self.0.push(':');
    }
}

/// Writing a text to memory does not fail.
fn text(value: &str) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn writes_what_a_parser_reads_back() {
        let inner = Object::default().number("n", 7).flag("f", true);
        let more = Object::default().text("t", "a \"b\"\n\u{1}");
        let json = Object::default().object("inner", inner).json("list", "[1]").append(more);
        let empty = Object::default().append(Object::default()).finish();
        let value: serde_json::Value = serde_json::from_str(&json.finish()).unwrap();
        assert_eq!(value["inner"]["n"], 7);
        assert_eq!(value["inner"]["f"], true);
        assert_eq!(value["list"][0], 1);
        assert_eq!(value["t"], "a \"b\"\n\u{1}");
        assert_eq!(empty, "{}");
    }
}
